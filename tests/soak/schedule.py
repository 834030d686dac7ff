"""What happens in a soak, and when. The same seed gives the same schedule; how processes run is not in it.

Each part draws from a source of its own, in the order of time: a longer run begins like a shorter one, and a
change to one part leaves the others as they were.
"""

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

from simulator.symbols import CATALOG
from tests.soak import deeds, faults, prices
from tests.soak.deeds import Deed
from tests.soak.faults import Fault
from tests.soak.prices import Print

Timed = TypeVar("Timed", Print, Deed, Fault)

SYMBOLS = tuple(name for name, info in CATALOG.items() if info.margin_allowed)[:20]
# In some pairs the owner has coins that are nobody's position; in some he has little, so that longs borrow.
WITH_COINS, WITH_LITTLE = frozenset(SYMBOLS[2::5]), frozenset(SYMBOLS[1::4])


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that the soak does, in the order of time (ms since its start)."""

    seed: int
    minutes: float
    prints: tuple[Print, ...]
    deeds: tuple[Deed, ...]
    faults: tuple[Fault, ...]

    @property
    def digest(self) -> str:
        """A short name of all that is in it: equal digests, equal schedules."""
        text = repr((self.prints, self.deeds, self.faults))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def plan(seed: int, minutes: float) -> Schedule:
    """The schedule of a soak."""
    end_ms = int(minutes * 60_000)
    return Schedule(
        seed=seed,
        minutes=minutes,
        prints=_until(end_ms, [prices.walk(seed, symbol) for symbol in SYMBOLS]),
        deeds=_until(end_ms, [deeds.of_account(seed), *_in_pairs(seed)]),
        faults=_until(end_ms, faults.streams(seed, SYMBOLS)),
    )


def _in_pairs(seed: int) -> Iterable[Iterable[Deed]]:
    return (deeds.in_pair(seed, symbol, coins=symbol in WITH_COINS) for symbol in SYMBOLS)


def _until(end_ms: int, streams: Iterable[Iterable[Timed]]) -> tuple[Timed, ...]:
    timely = (takewhile(lambda one: one.at_ms < end_ms, stream) for stream in streams)
    return tuple(heapq.merge(*timely, key=lambda one: one.at_ms))
