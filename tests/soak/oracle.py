"""When a trailing stop must have been touched, by the prices that the soak itself has printed.

A second opinion on `trading.domain.trailing`, written without it: it knows every price, in order, and no
process that could have missed one.
"""

from dataclasses import dataclass
from decimal import Decimal

from tests.soak.market import Tape
from tests.soak.sight import CorePart
from trading.domain.types import Side


@dataclass
class Trail:
    """The stop of one position as it would be without any outage. `touched_at`: seconds since the epoch."""

    side: Side
    distance: Decimal
    extreme: Decimal
    after_ms: int
    read: int = 0
    touched_at: float | None = None

    @property
    def stop(self) -> Decimal:
        return self.extreme - self.distance if self.side is Side.LONG else self.extreme + self.distance

    def follow(self, tape: Tape, symbol: str) -> None:
        """Go on to the end of the tape, or to the touch."""
        prints = tape.of(symbol)
        while self.read < len(prints) and self.touched_at is None:
            printed = prints[self.read]
            self.read += 1
            # As everywhere in Robson, a price that is older than another one does not count.
            if printed.time_ms <= self.after_ms:
                continue
            self.after_ms = printed.time_ms
            self._pass(printed.price, printed.at)

    def _pass(self, price: Decimal, at: float) -> None:
        long = self.side is Side.LONG
        if price <= self.stop if long else price >= self.stop:
            self.touched_at = at
        elif price > self.extreme if long else price < self.extreme:
            self.extreme = price


class Oracle:
    """The trails of all positions that Core has had."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.trails: dict[int, Trail] = {}

    def touched_at(self, core: CorePart) -> float | None:
        """When the stop of this position was touched, None if it was not. None too before its entry."""
        if core.entry is None or core.distance is None:
            return None
        if core.id not in self.trails:
            self.trails[core.id] = Trail(core.side, core.distance, core.entry, core.filled_ms)
        trail = self.trails[core.id]
        trail.follow(self._tape, core.symbol)
        return trail.touched_at
