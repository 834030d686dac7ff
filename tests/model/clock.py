"""One time for everybody: the exchange's clock is Robson's, and moves only when it is told."""

from datetime import UTC, datetime

START_MS = 1_772_452_800_000


class LogicalClock:
    """Milliseconds since the epoch, UTC."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def ns(self) -> int:
        """What the simulator's own clock asks for."""
        return self.ms * 1_000_000
