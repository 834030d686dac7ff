"""Where a trailing stop stood between its events: the log tells only moves of a tenth of its distance."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from trading.domain.trailing import TrailingStop, is_better, on_price
from trading.domain.types import Candle, Side
from trading.models import Position

Move = tuple[datetime, Decimal, Decimal]


def as_entered(position: Position) -> TrailingStop | None:
    """The stop of a position as it began, at its entry price; None before the entry, or while it waits."""
    entry, opened_at = position.entry_price, position.opened_at
    if (
        entry is None
        or opened_at is None
        or position.distance is None
        or position.activation_price is not None
    ):
        return None
    began_ms = int(opened_at.timestamp() * 1000)
    return replace(position.trailing, extreme=entry, stop=None, last_time_ms=began_ms)


def moves(stop: TrailingStop, candles: Iterable[Candle], best: Decimal) -> Iterator[Move]:
    """When each candle had raised it, the stop then and the best price then (quote currency), oldest first.

    `best` is the best price that is known to have counted: what lies beyond it came after the exit.
    """
    for candle in candles:
        if candle.open_time_ms < stop.last_time_ms:
            continue
        price = candle.high if stop.side is Side.LONG else candle.low
        if is_better(stop.side, price, best):
            price = best
        step = on_price(stop, price, candle.close_time_ms)
        if step.fired:
            return
        stop = step.next
        if step.moved and stop.stop is not None and stop.extreme is not None:
            yield datetime.fromtimestamp(candle.close_time_ms / 1000, UTC), stop.stop, stop.extreme
