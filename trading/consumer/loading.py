"""What a watch needs before it begins: candles for a detector, the gap in the prices for a stop."""

import logging
from itertools import chain

from trading import gateway
from trading.consumer.market import EntryWatch, StopWatch
from trading.domain.crossover import CrossoverDetector
from trading.domain.types import Candle, Side, Tick
from trading.exchange.port import Exchange
from trading.models import Position

log = logging.getLogger(__name__)

INTERVAL_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# Up to here every single trade of the gap is replayed; beyond it, candles of a minute, or of an hour.
TRADES_GAP_MS = 15 * 60_000
CANDLES_LIMIT = 1_000


def interval_ms(interval: str) -> int:
    """The length of a candle, in milliseconds."""
    return int(interval[:-1]) * INTERVAL_MS[interval[-1]]


def load_entry(position: Position) -> tuple[EntryWatch, list[Candle]]:
    """A detector and the closed candles to warm it up with, oldest first. Raises ExchangeError."""
    exchange = gateway.exchange_for(position.slot.account)
    detector = detector_for(position, now_ms=exchange.now_ms())
    candles = exchange.candles(position.slot.symbol, position.interval, limit=position.slow_period + 3)
    return EntryWatch(position, detector), [candle for candle in candles if candle.closed]


def detector_for(position: Position, *, now_ms: int) -> CrossoverDetector:
    """A fresh detector. After a restart a crossover of two candles ago or more is history, not a signal."""
    armed_ms = int(position.armed_at.timestamp() * 1000)
    return CrossoverDetector(
        position_id=str(position.pk),
        symbol=position.slot.symbol,
        side=position.slot.position_side,
        interval=position.interval,
        fast=position.fast_period,
        slow=position.slow_period,
        armed_ms=max(armed_ms, now_ms - 2 * interval_ms(position.interval)),
    )


def load_stop(position: Position) -> tuple[StopWatch, list[Tick]]:
    """A stop and the prices since its extreme, oldest first, the present one last. Raises ExchangeError."""
    exchange = gateway.exchange_for(position.slot.account)
    # An exit must not have to ask for them.
    exchange.symbol_rules(position.slot.symbol)
    watch = StopWatch(position)
    replayed = gap(
        exchange, position.slot.symbol, position.slot.position_side, after_ms=position.extreme_time_ms
    )
    return watch, [*replayed, exchange.price(position.slot.symbol)]


def gap(exchange: Exchange, symbol: str, side: Side, *, after_ms: int) -> list[Tick]:
    """Every price after an exchange time (ms), oldest first.

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
    interval = "1m" if step_ms == INTERVAL_MS["m"] else "1h"
    candles = exchange.candles(symbol, interval, limit=(now_ms - first_ms) // step_ms + 2)
    whole = [candle for candle in candles if candle.open_time_ms >= first_ms]
    return [*trades, *chain.from_iterable(_path(candle, side) for candle in whole)]


def _candle_ms(gap_ms: int) -> int:
    """The length of the candles that tell a gap, so that one answer holds them all; 0 for single trades."""
    if gap_ms <= TRADES_GAP_MS:
        return 0
    return INTERVAL_MS["m"] if gap_ms // INTERVAL_MS["m"] < CANDLES_LIMIT - 2 else INTERVAL_MS["h"]


def _path(candle: Candle, side: Side) -> list[Tick]:
    worst_first = (candle.low, candle.high) if side is Side.LONG else (candle.high, candle.low)
    prices = (candle.open, *worst_first, candle.close)
    return [Tick(candle.symbol, price, candle.open_time_ms) for price in prices]
