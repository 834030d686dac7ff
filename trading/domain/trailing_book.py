"""Many trailing stops of one symbol at the price of one: `trailing.on_price` for all of them at once.

Most prices change nothing. The book keeps the band of prices that are known to change nothing, and looks at
its stops only when a price leaves it.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from heapq import heapify, heappop, heappush

from trading.domain.trailing import TrailingStop
from trading.domain.trailing_ladder import NOWHERE_HIGH, NOWHERE_LOW, Ladder, Member
from trading.domain.types import Side


class TrailingBook:
    """Trailing stops of one symbol by key. Prices in quote currency, times in exchange milliseconds.

    Every stop behaves as under `trailing.on_price`, with one clock for the whole book: a stop added with an
    earlier time than the book's takes the book's, one with a later time waits for it.
    """

    __slots__ = ("_high", "_ladders", "_low", "_members", "_time_ms", "_waiting")

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._ladders = {(side, absolute): Ladder(side) for side in Side for absolute in (True, False)}
        self._waiting: list[tuple[int, str]] = []
        self._time_ms = 0
        self._low, self._high = NOWHERE_LOW, NOWHERE_HIGH

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def __getitem__(self, key: str) -> TrailingStop:
        """The stop as it stands now. Raises KeyError."""
        present = self._members[key].present()
        return replace(present, last_time_ms=max(present.last_time_ms, self._time_ms))

    def snapshot(self) -> Mapping[str, TrailingStop]:
        """Every stop as it stands now, fired ones included."""
        return {key: self[key] for key in self._members}

    def add(self, key: str, stop: TrailingStop) -> None:
        """Watch one more stop. Raises ValueError for a key that is already watched."""
        if key in self._members:
            raise ValueError(f"the stop {key} is already watched")
        member = self._members[key] = Member(key, stop)
        if stop.last_time_ms > self._time_ms:
            heappush(self._waiting, (stop.last_time_ms, key))
        else:
            self._admit(member)

    def remove(self, key: str) -> TrailingStop:
        """Stop watching; the answer is the stop as it stood. Raises KeyError."""
        last = self[key]
        member = self._members.pop(key)
        self._waiting = [entry for entry in self._waiting if entry[1] != key]
        heapify(self._waiting)
        self._ladder(member).remove(member)
        self._measure()
        return last

    def on_price(self, price: Decimal, time_ms: int) -> list[str]:
        """Check every stop, then raise it. The keys that fire with this very price, each once.

        A price older than the last one, or not above zero, is dropped. A stop that has fired stays in the
        book as fired until it is removed.
        """
        if time_ms < self._time_ms or not price.is_finite():
            return []
        if self._low < price < self._high and not self._waiting:
            self._time_ms = time_ms
            return []
        if price <= 0:
            return []
        self._time_ms = time_ms
        self._admit_waiting()
        fired = [
            member.key for ladder in self._ladders.values() if ladder for member in ladder.on_price(price)
        ]
        self._measure()
        return fired

    def _admit_waiting(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._time_ms:
            self._admit(self._members[heappop(self._waiting)[1]])

    def _admit(self, member: Member) -> None:
        if not member.given.fired:
            self._ladder(member).add(member)
            self._measure()

    def _ladder(self, member: Member) -> Ladder:
        return self._ladders[member.given.side, member.given.distance is not None]

    def _measure(self) -> None:
        self._low, self._high = NOWHERE_LOW, NOWHERE_HIGH
        for ladder in self._ladders.values():
            if ladder:
                low, high = ladder.quiet_band()
                self._low, self._high = max(self._low, low), min(self._high, high)
