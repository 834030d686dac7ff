"""The exchange's own clock: the machine's, shifted when a drill asks for a skewed exchange."""

import time
from collections.abc import Callable


class Clock:
    """Wall time in UTC plus `skew_ms` milliseconds, which may be negative.

    `source` answers nanoseconds since the epoch.
    """

    def __init__(self, source: Callable[[], int] = time.time_ns, *, skew_ms: int = 0) -> None:
        self.source = source
        self.skew_ms = skew_ms

    def now_us(self) -> int:
        """Microseconds since the epoch, skew included."""
        return self.source() // 1_000 + self.skew_ms * 1_000

    def now_ms(self) -> int:
        """Milliseconds since the epoch, skew included."""
        return self.source() // 1_000_000 + self.skew_ms
