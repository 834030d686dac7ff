"""Prices that were missed, asked for afterwards: by the consumer, and by whoever stands in for it."""

from itertools import chain

from trading.domain.types import Candle, Side, Tick
from trading.exchange.port import Exchange

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
# Up to here every single trade of the gap is replayed; beyond it, candles of a minute, or of an hour.
TRADES_GAP_MS = 15 * MINUTE_MS
CANDLES_LIMIT = 1_000


def gap(exchange: Exchange, symbol: str, side: Side, *, after_ms: int) -> list[Tick]:
    """Every price after an exchange time (ms), oldest first. Raises ExchangeError.

    Not those of that very millisecond: one order can trade at several prices in it, and which of them came
    before the last one seen cannot be told.

    A gap too long for single trades is told by candles, each as its worst price first: a stop that may have
    been touched was touched. Single trades lead up to the first whole candle.
    """
    since_ms, now_ms = after_ms + 1, exchange.now_ms()
    step_ms = _candle_ms(now_ms - since_ms)
    if step_ms == 0:
        return list(exchange.aggregate_trades(symbol, start_ms=since_ms, end_ms=now_ms))
    first_ms = (since_ms // step_ms + 1) * step_ms
    trades = exchange.aggregate_trades(symbol, start_ms=since_ms, end_ms=first_ms - 1)
    interval = "1m" if step_ms == MINUTE_MS else "1h"
    candles = exchange.candles(symbol, interval, limit=(now_ms - first_ms) // step_ms + 2)
    whole = [candle for candle in candles if candle.open_time_ms >= first_ms]
    return [*trades, *chain.from_iterable(_path(candle, side) for candle in whole)]


def _candle_ms(gap_ms: int) -> int:
    """The length of the candles that tell a gap, so that one answer holds them all; 0 for single trades."""
    if gap_ms <= TRADES_GAP_MS:
        return 0
    return MINUTE_MS if gap_ms // MINUTE_MS < CANDLES_LIMIT - 2 else HOUR_MS


def _path(candle: Candle, side: Side) -> list[Tick]:
    worst_first = (candle.low, candle.high) if side is Side.LONG else (candle.high, candle.low)
    prices = (candle.open, *worst_first, candle.close)
    return [Tick(candle.symbol, price, candle.open_time_ms) for price in prices]
