"""When what was broken, and for how long."""

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass
class Outage:
    """From `begin` to `end` (seconds since the epoch; None: it lasts)."""

    name: str
    what: str
    begin: float
    end: float | None = None

    def overlaps(self, begin: float, end: float) -> bool:
        return self.begin < end and (self.end is None or self.end > begin)


class Outages:
    """All of a run. Written and read by several threads."""

    def __init__(self) -> None:
        self._all: list[Outage] = []
        self._lock = threading.Lock()

    def begin(self, name: str, what: str) -> Outage:
        return self.add(name, what, time.time(), None)

    def add(self, name: str, what: str, begin: float, end: float | None) -> Outage:
        outage = Outage(name, what, begin, end)
        with self._lock:
            self._all.append(outage)
        return outage

    def during(self, begin: float, end: float) -> list[Outage]:
        with self._lock:
            return [outage for outage in self._all if outage.overlaps(begin, end)]


def away_s(outages: Iterable[Outage], needed: Collection[str], begin: float, end: float) -> float:
    """Seconds between these two during which at least one of what is needed was away."""
    spans = sorted(
        (max(begin, outage.begin), min(end, end if outage.end is None else outage.end))
        for outage in outages
        if outage.what in needed and outage.overlaps(begin, end)
    )
    return _union_s(spans)


def _union_s(spans: Sequence[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for begin, end in spans:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
