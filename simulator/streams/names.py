"""Stream names: `btcusdt@trade`, `btcusdt@kline_1m`, `btcusdt@depth5@100ms`, `!miniTicker@arr`."""

import re
from dataclasses import dataclass

from simulator.market.intervals import INTERVALS

ALL_MINI_TICKERS = "!miniTicker@arr"
ON_TRADE = ("trade", "aggTrade", "bookTicker")

_WELL_FORMED = re.compile(r"^!?[A-Za-z0-9_.-]{1,80}(@[A-Za-z0-9_+:.-]{1,20}){0,3}$", re.ASCII)
_TIMED = re.compile(
    r"^(?P<symbol>[a-z0-9]+)@"
    r"(?:kline_(?P<interval>\w+)|depth(?P<levels>5|10|20)(?P<fast>@100ms)?|(?P<kind>miniTicker|ticker))$",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TimedStream:
    """A stream that the clock drives: `kind` is kline, depth, ticker or miniTicker."""

    name: str
    symbol: str
    kind: str
    interval: str = ""
    levels: int = 0
    fast: bool = False


def is_well_formed(name: str) -> bool:
    """Whether the exchange would acknowledge the name. It acknowledges streams that do not exist, too."""
    return _WELL_FORMED.fullmatch(name) is not None


def symbol_of(name: str) -> str:
    """The symbol in capitals, "" for a stream of all symbols."""
    return "" if name.startswith("!") else name.partition("@")[0].upper()


def timed(name: str) -> TimedStream | None:
    """What the clock has to publish on this stream; None if trades drive it or nothing does."""
    found = _TIMED.fullmatch(name)
    if found is None:
        return None
    symbol = found["symbol"].upper()
    if found["interval"]:
        known = found["interval"] in INTERVALS
        return TimedStream(name, symbol, "kline", interval=found["interval"]) if known else None
    if found["levels"]:
        return TimedStream(name, symbol, "depth", levels=int(found["levels"]), fast=bool(found["fast"]))
    return TimedStream(name, symbol, found["kind"])
