"""How far a stop stands from the entry price, and where the Safety Net's fixed stop lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from trading.domain.rounding import to_wire
from trading.domain.trailing import is_touched
from trading.domain.types import Candle, Side

__all__ = [
    "NotEnoughCandles",
    "StopDistanceOutOfRange",
    "StopKind",
    "StopPolicy",
    "average_true_range",
    "is_touched",
    "safety_stop",
    "stop_distance",
]

MIN_SHARE = Decimal("0.001")
MAX_SHARE = Decimal("0.1")
ATR_PERIOD = 14
SAFETY_PERCENT = Decimal(2)


class StopDistanceOutOfRange(ValueError):
    """The policy asks for a stop closer than 0.1 % or further than 10 % of the entry price."""


class NotEnoughCandles(ValueError):
    """The average true range needs more closed candles than were given."""


class StopKind(StrEnum):
    PERCENT = "percent"
    DISTANCE = "distance"
    ATR = "atr"


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """Where the stop goes at entry.

    `value` is a percentage of the entry price (PERCENT), an amount of quote currency (DISTANCE) or the
    multiple of the average true range (ATR). Raises ValueError unless it is above zero.
    """

    kind: StopKind = StopKind.PERCENT
    value: Decimal = Decimal(2)

    def __post_init__(self) -> None:
        if not self.value.is_finite() or self.value <= 0:
            raise ValueError(f"a stop policy's value must be above zero, not {self.value}")

    @property
    def candles_needed(self) -> int:
        """How many closed candles `stop_distance` needs."""
        return ATR_PERIOD + 1 if self.kind is StopKind.ATR else 0


def stop_distance(policy: StopPolicy, entry: Decimal, candles: Sequence[Candle] = ()) -> Decimal:
    """The distance between entry price and stop, in quote currency; fixed for the life of the position.

    Raises StopDistanceOutOfRange outside 0.1 % to 10 % of the entry price, NotEnoughCandles for an ATR
    policy without its candles, ValueError for an entry price not above zero.
    """
    _require_price(entry)
    distance = _wanted_distance(policy, entry, candles)
    low, high = entry * MIN_SHARE, entry * MAX_SHARE
    if not low <= distance <= high:
        raise StopDistanceOutOfRange(
            f"a stop {_text(distance)} from the entry price {_text(entry)} is {distance / entry * 100:.2f} % "
            f"away; it must be between {_text(low)} (0.1 %) and {_text(high)} (10 %)"
        )
    return distance


def average_true_range(candles: Sequence[Candle], period: int = ATR_PERIOD) -> Decimal:
    """Wilder's average true range over closed candles, oldest first, in quote currency.

    The first value is the plain mean of `period` true ranges, every later one is
    (previous x (period - 1) + true range) / period: J. Welles Wilder, New Concepts in Technical Trading
    Systems, 1978, chapter III. The oldest candle serves only as the previous close. Open candles are
    ignored. Raises NotEnoughCandles for fewer than period + 1 closed ones, ValueError if out of order.
    """
    closed = [candle for candle in candles if candle.closed]
    if len(closed) < period + 1:
        raise NotEnoughCandles(f"ATR({period}) needs {period + 1} closed candles, there are {len(closed)}")
    if any(a.open_time_ms >= b.open_time_ms for a, b in pairwise(closed)):
        raise ValueError("candles must be oldest first, each once")
    ranges = [_true_range(previous, candle) for previous, candle in pairwise(closed)]
    average = sum(ranges[:period], Decimal(0)) / period
    for true_range in ranges[period:]:
        average = (average * (period - 1) + true_range) / period
    return average


def safety_stop(side: Side, entry: Decimal, percent: Decimal = SAFETY_PERCENT) -> Decimal:
    """The Safety Net's stop price (quote currency): `percent` of the entry on its losing side.

    Raises ValueError for an entry price not above zero or a percentage outside 0 to 100.
    """
    _require_price(entry)
    if not 0 < percent < 100:
        raise ValueError(f"the safety stop must lie between 0 and 100 % from the entry, not {percent}")
    return entry * (100 - percent if side is Side.LONG else 100 + percent) / 100


def _wanted_distance(policy: StopPolicy, entry: Decimal, candles: Sequence[Candle]) -> Decimal:
    if policy.kind is StopKind.PERCENT:
        return entry * policy.value / 100
    if policy.kind is StopKind.DISTANCE:
        return policy.value
    return average_true_range(candles) * policy.value


def _true_range(previous: Candle, candle: Candle) -> Decimal:
    return max(candle.high, previous.close) - min(candle.low, previous.close)


def _text(amount: Decimal) -> str:
    return to_wire(round(amount, 8))


def _require_price(entry: Decimal) -> None:
    if not entry.is_finite() or entry <= 0:
        raise ValueError(f"an entry price must be above zero, not {entry}")
