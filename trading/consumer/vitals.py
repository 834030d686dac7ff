"""What the consumer says of itself in its heartbeat: for pages, alarms and commands, which have no stream."""

from collections.abc import Iterable
from typing import Any

from trading.consumer.feed import FeedAge
from trading.consumer.market import Market
from trading.domain.rounding import to_wire
from trading.domain.types import Tick


def vitals(market: Market, feed: FeedAge, now: float) -> dict[str, Any]:
    """The watched symbols, which of them are silent, and the last price of each. `now`: monotonic seconds.

    `age_s` is the silence of a symbol's stream, `at_ms` the exchange's own time of the price.
    """
    ticks = (state.last for state in market.symbols.values())
    return {
        "symbols": sorted(market.symbols),
        "stale": sorted(feed.stale),
        "prices": {tick.symbol: _price(tick, feed, now) for tick in _known(ticks)},
    }


def _known(ticks: Iterable[Tick | None]) -> Iterable[Tick]:
    return (tick for tick in ticks if tick is not None)


def _price(tick: Tick, feed: FeedAge, now: float) -> dict[str, Any]:
    return {
        "price": to_wire(tick.price),
        "at_ms": tick.time_ms,
        "age_s": round(feed.age_s(tick.symbol, now), 1),
        "source": "rest" if tick.symbol in feed.stale else "stream",
    }
