"""How long positions were unprotected, and how long they may be."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Exposure:
    """Spans in s, by the simulator's monotonic clock.

    `touched` is when (ns) a symbol's stop was gone through, until the exit that answers to it has come in.
    """

    touched: dict[str, int] = field(default_factory=dict)
    spans: list[float] = field(default_factory=list)
    allowed_s: float = 0.0
    allowed_for: str = ""
    outage_s: float = 0.0

    def begin(self, symbol: str, at_ns: int) -> None:
        """From the first price through the stop on."""
        self.touched.setdefault(symbol, at_ns)

    def end(self, symbol: str, exits: Iterable[dict[str, Any]]) -> bool:
        """Until the last of these exit orders was received. False when none answers to the touch."""
        since = self.touched.get(symbol)
        if since is None:
            return True
        received = [order["received_ns"] for order in exits if order["received_ns"] > since]
        if not received:
            return False
        self.spans.append((max(received) - self.touched.pop(symbol)) / 1e9)
        return True

    @property
    def longest_s(self) -> float | None:
        return max(self.spans, default=None)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """While this lasts nobody could have done anything."""
        began = time.monotonic()
        yield
        self.outage_s += time.monotonic() - began
