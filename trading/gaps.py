"""Prices that were missed, asked for afterwards: by the consumer, and by whoever stands in for it."""

from collections.abc import Iterator
from itertools import chain

from trading.domain.types import Candle, Side, Tick
from trading.exchange.port import Exchange

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
# Up to here every single trade of the gap is replayed, and then up to here candles of a minute.
TRADES_GAP_MS = 15 * MINUTE_MS
MINUTES_GAP_MS = 1_000 * MINUTE_MS


def gap(exchange: Exchange, symbol: str, side: Side, *, after_ms: int) -> list[Tick]:
    """Every price after an exchange time (ms), oldest first. Raises ExchangeError.

    Not those of that very millisecond: one order can trade at several prices in it, and which of them came
    before the last one seen cannot be told.

    A gap too long for single trades is told by candles, each as its worst price first: a stop that is touched
    as it stood before the candle was touched. Single trades lead up to the first whole minute, and minutes to
    the first whole hour.
    """
    exchange.ensure_clock()
    since_ms, now_ms = after_ms + 1, exchange.now_ms()
    if now_ms - since_ms <= TRADES_GAP_MS:
        return list(exchange.aggregate_trades(symbol, start_ms=since_ms, end_ms=now_ms))
    minutes_ms, after = _next(since_ms, MINUTE_MS), now_ms + 1
    hours_ms = after if now_ms - since_ms < MINUTES_GAP_MS else _next(minutes_ms, HOUR_MS)
    trades = exchange.aggregate_trades(symbol, start_ms=since_ms, end_ms=minutes_ms - 1)
    minutes = _candles(exchange, symbol, "1m", minutes_ms, hours_ms)
    hours = _candles(exchange, symbol, "1h", hours_ms, after)
    return [*trades, *chain.from_iterable(_path(candle, side) for candle in chain(minutes, hours))]


def _next(time_ms: int, step_ms: int) -> int:
    """The first multiple of a step from a time on."""
    return -(-time_ms // step_ms) * step_ms


def _candles(
    exchange: Exchange, symbol: str, interval: str, start_ms: int, before_ms: int
) -> Iterator[Candle]:
    """All candles that open in this span, oldest first, page by page."""
    while start_ms < before_ms:
        page = exchange.candles_between(symbol, interval, start_ms=start_ms, end_ms=before_ms - 1)
        if not page:
            return
        yield from page
        start_ms = page[-1].close_time_ms + 1


def _path(candle: Candle, side: Side) -> list[Tick]:
    worst_first = (candle.low, candle.high) if side is Side.LONG else (candle.high, candle.low)
    prices = (candle.open, *worst_first, candle.close)
    return [Tick(candle.symbol, price, candle.open_time_ms) for price in prices]
