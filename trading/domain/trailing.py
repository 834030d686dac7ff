"""The trailing stop: on each price check first, then raise; it never loosens.

Pure: a `TrailingStop` and a price give the next `TrailingStop`. `trailing_book` does the same for many
stops of one symbol at once, on the hot path.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from trading.domain.types import Side

BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class TrailingStop:
    """One trailing stop. Prices in quote currency, times in exchange milliseconds.

    The stop trails the best price since it became active (`extreme`) by either an absolute `distance` or
    `offset_bps` basis points of the extreme. With an `activation` price it waits until the price has moved
    that far in the position's favour; a `stop` given from the start is enforced meanwhile, and always.

    Raises ValueError unless exactly one of `distance` and `offset_bps` is given and leaves a stop that a
    price could reach.
    """

    side: Side
    distance: Decimal | None = None
    offset_bps: int | None = None
    activation: Decimal | None = None
    extreme: Decimal | None = None
    stop: Decimal | None = None
    last_time_ms: int = 0
    fired: bool = False

    def __post_init__(self) -> None:
        if (self.distance is None) == (self.offset_bps is None):
            raise ValueError("a trailing stop has either a distance or an offset in basis points")
        if self.distance is not None and self.distance <= 0:
            raise ValueError(f"the distance must be above zero, not {self.distance}")
        if self.offset_bps is not None and not 0 < self.offset_bps < BPS:
            raise ValueError(f"the offset must lie between 0 and {BPS} basis points, not {self.offset_bps}")


@dataclass(frozen=True, slots=True)
class Step:
    """What one price did. `fired` stays true on every later price, until the caller exits.

    `moved`: the stop is tighter than before. `dropped`: the price was ignored.
    """

    next: TrailingStop
    fired: bool
    moved: bool
    dropped: bool


def trailing_from_entry(side: Side, distance: Decimal, entry: Decimal, time_ms: int) -> TrailingStop:
    """The stop of a position just filled at `entry`: its extreme is the entry price."""
    fresh = TrailingStop(side=side, distance=distance, extreme=entry, last_time_ms=time_ms)
    return replace(fresh, stop=standing_stop(fresh))


def stop_for(stop: TrailingStop, extreme: Decimal) -> Decimal:
    """The stop price that belongs to an extreme, both in quote currency."""
    if stop.distance is not None:
        return extreme - stop.distance if stop.side is Side.LONG else extreme + stop.distance
    share = Decimal(stop.offset_bps or 0) / BPS
    return extreme * (1 - share if stop.side is Side.LONG else 1 + share)


def standing_stop(stop: TrailingStop) -> Decimal | None:
    """The stop price in force: the tighter of the given one and the trailing one; None before activation."""
    if stop.extreme is None:
        return stop.stop
    trailing = stop_for(stop, stop.extreme)
    if stop.stop is None or is_better(stop.side, trailing, stop.stop):
        return trailing
    return stop.stop


def is_touched(side: Side, stop: Decimal, price: Decimal) -> bool:
    """Whether the price has reached the stop; a touch counts."""
    return price <= stop if side is Side.LONG else price >= stop


def is_better(side: Side, price: Decimal, than: Decimal) -> bool:
    """Whether a price is better for the position."""
    return price > than if side is Side.LONG else price < than


def activates(stop: TrailingStop, price: Decimal) -> bool:
    """Whether the price reaches the activation price, if there is one."""
    return stop.activation is None or not is_better(stop.side, stop.activation, price)


def on_price(stop: TrailingStop, price: Decimal, time_ms: int) -> Step:
    """Check, then raise. A price older than the last one, or not above zero, is dropped.

    `time_ms` is the exchange's time of the price; the same time again is accepted, since one order can
    trade at several prices within a millisecond.
    """
    if time_ms < stop.last_time_ms or not price.is_finite() or price <= 0:
        return Step(stop, fired=stop.fired, moved=False, dropped=True)
    if stop.fired:
        return Step(replace(stop, last_time_ms=time_ms), fired=True, moved=False, dropped=False)
    standing = standing_stop(stop)
    fired = standing is not None and is_touched(stop.side, standing, price)
    seen = replace(stop, stop=standing, last_time_ms=time_ms, fired=fired)
    if not fired and _improves(stop, price):
        seen = replace(seen, extreme=price)
        seen = replace(seen, stop=standing_stop(seen))
    return Step(seen, fired=fired, moved=seen.stop != stop.stop, dropped=False)


def _improves(stop: TrailingStop, price: Decimal) -> bool:
    if stop.extreme is None:
        return activates(stop, price)
    return is_better(stop.side, price, stop.extreme)
