"""What a watch needs before it begins: candles for a detector, the gap in the prices for a stop."""

import logging

from trading import gateway
from trading.consumer.watched import EntryWatch, StopWatch
from trading.domain.crossover import CrossoverDetector
from trading.domain.types import Candle, Tick
from trading.gaps import gap
from trading.models import Position

log = logging.getLogger(__name__)

FRESH_MS = 10_000
INTERVAL_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def interval_ms(interval: str) -> int:
    """The length of a candle, in milliseconds."""
    return int(interval[:-1]) * INTERVAL_MS[interval[-1]]


def load_entry(position: Position) -> tuple[EntryWatch, list[Candle]]:
    """A detector and the closed candles to warm it up with, oldest first. Raises ExchangeError."""
    exchange = gateway.exchange_for(position.slot.account)
    detector = detector_for(position, now_ms=exchange.now_ms())
    # Enough for averages from before the first crossover that counts; the last candle is still open.
    needed = position.slow_period + _fresh_ms(position.interval) // interval_ms(position.interval) + 1
    candles = exchange.candles(position.slot.symbol, position.interval, limit=needed)
    return EntryWatch(position, detector), [candle for candle in candles if candle.closed]


def detector_for(position: Position, *, now_ms: int) -> CrossoverDetector:
    """A fresh detector. After a restart a crossover of two candles ago or more is history, not a signal.

    With candles of a few seconds it is up to FRESH_MS: it takes some time until a stream carries them.
    """
    armed_ms = int(position.armed_at.timestamp() * 1000)
    return CrossoverDetector(
        position_id=str(position.pk),
        symbol=position.slot.symbol,
        side=position.slot.position_side,
        interval=position.interval,
        fast=position.fast_period,
        slow=position.slow_period,
        armed_ms=max(armed_ms, now_ms - _fresh_ms(position.interval)),
    )


def _fresh_ms(interval: str) -> int:
    return max(2 * interval_ms(interval), FRESH_MS)


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
