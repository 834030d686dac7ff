"""How long positions were unprotected, and how long they may be."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """A time without protection, in s, and how much of it was an outage in which nobody could do anything."""

    seconds: float
    outage_s: float

    @property
    def charged_s(self) -> float:
        return self.seconds - self.outage_s


@dataclass
class Exposure:
    """All times in ns of the machine's monotonic clock, which the simulator's is.

    `touched` is when a symbol's stop was gone through, until the exit that answers to it has come in.
    """

    touched: dict[str, int] = field(default_factory=dict)
    allowed_s: float = 0.0
    allowed_for: str = ""
    _ended: list[tuple[int, int]] = field(default_factory=list)
    _outages: list[tuple[int, int]] = field(default_factory=list)

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
        self._ended.append((self.touched.pop(symbol), max(received)))
        return True

    @contextmanager
    def outage(self) -> Iterator[None]:
        """While this lasts nobody could have done anything."""
        began = time.monotonic_ns()
        yield
        self._outages.append((began, time.monotonic_ns()))

    @property
    def worst(self) -> Span | None:
        """The one that is charged most; None if no stop was gone through, or no exit came of it."""
        return max(self._spans(), key=lambda span: span.charged_s, default=None)

    @property
    def longest(self) -> Span | None:
        """The longest, outages included."""
        return max(self._spans(), key=lambda span: span.seconds, default=None)

    def _spans(self) -> list[Span]:
        return [self._span(*times) for times in self._ended]

    def _span(self, since: int, until: int) -> Span:
        shared = (min(until, end) - max(since, began) for began, end in self._outages)
        return Span((until - since) / 1e9, sum(max(ns, 0) for ns in shared) / 1e9)
