"""Market frames of the combined stream as domain values, at stream speed. What is no use is counted."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec

from trading.domain.types import Candle, Tick

# Far above any price; it also keeps infinities out.
_PRICE_LIMIT = Decimal(10) ** 15
# Older prices are dropped downstream, so one time far ahead would silence everything after it.
_AHEAD_MS = 60_000

_Symbol = Annotated[str, msgspec.Meta(min_length=1)]
_TimeMs = Annotated[int, msgspec.Meta(gt=0)]


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    symbol: _Symbol = msgspec.field(name="s")
    price: Decimal = msgspec.field(name="p")
    time_ms: _TimeMs = msgspec.field(name="T")
    trade_id: int = msgspec.field(name="t", default=0)


class _AggregateTrade(_Trade, tag_field="e", tag="aggTrade", gc=False):
    pass


class _KlineValues(msgspec.Struct, gc=False):
    open_time_ms: int = msgspec.field(name="t")
    close_time_ms: _TimeMs = msgspec.field(name="T")
    interval: _Symbol = msgspec.field(name="i")
    open: Decimal = msgspec.field(name="o")
    high: Decimal = msgspec.field(name="h")
    low: Decimal = msgspec.field(name="l")
    close: Decimal = msgspec.field(name="c")
    volume: Decimal = msgspec.field(name="v")
    closed: bool = msgspec.field(name="x")


class _Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    symbol: _Symbol = msgspec.field(name="s")
    values: _KlineValues = msgspec.field(name="k")


class _Combined(msgspec.Struct, gc=False):
    data: _Trade | _AggregateTrade | _Kline


class Drop(StrEnum):
    """Why a frame came to nothing."""

    MALFORMED = "malformed"
    UNKNOWN_EVENT = "unknown_event"
    IMPOSSIBLE_PRICE = "impossible_price"
    AHEAD_OF_TIME = "ahead_of_time"


_KNOWN_EVENTS = {"trade", "aggTrade", "kline"}


class FrameDecoder:
    """Turns frames into ticks and candles; `dropped` counts the others by reason.

    `now_ms` tells the exchange's time: nothing from more than a minute ahead of it is believed.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.dropped: Counter[Drop] = Counter()
        self._decode = msgspec.json.Decoder(_Combined).decode

    def decode(self, frame: bytes | str) -> Tick | Candle | None:
        """None for whatever is no usable trade or kline. Never raises."""
        value = self._read(frame)
        if isinstance(value, Drop):
            self.dropped[value] += 1
            return None
        return value

    def _read(self, frame: bytes | str) -> Tick | Candle | Drop:
        try:
            event = self._decode(frame).data
            value = _candle(event) if isinstance(event, _Kline) else _tick(event)
        except (msgspec.MsgspecError, UnicodeError, ArithmeticError, RecursionError):
            return _reason(frame)
        if isinstance(value, Drop):
            return value
        time_ms = value.time_ms if isinstance(value, Tick) else value.open_time_ms
        return value if time_ms <= self._now_ms() + _AHEAD_MS else Drop.AHEAD_OF_TIME


def _tick(trade: _Trade) -> Tick | Drop:
    # Comparing a NaN raises ArithmeticError, which the caller counts as malformed.
    if 0 < trade.price < _PRICE_LIMIT:
        return Tick(trade.symbol, trade.price, trade.time_ms, trade.trade_id)
    return Drop.IMPOSSIBLE_PRICE


def _candle(kline: _Kline) -> Candle | Drop:
    values = kline.values
    ordered = values.low <= min(values.open, values.close) <= max(values.open, values.close) <= values.high
    if not (ordered and values.low > 0 and values.high < _PRICE_LIMIT and values.volume >= 0):
        return Drop.IMPOSSIBLE_PRICE
    return Candle(
        symbol=kline.symbol,
        interval=values.interval,
        open_time_ms=values.open_time_ms,
        close_time_ms=values.close_time_ms,
        open=values.open,
        high=values.high,
        low=values.low,
        close=values.close,
        volume=values.volume,
        closed=values.closed,
    )


def _reason(frame: bytes | str) -> Drop:
    try:
        event = msgspec.json.decode(frame)["data"]
    except (msgspec.MsgspecError, UnicodeError, RecursionError, LookupError, TypeError):
        return Drop.MALFORMED
    known = isinstance(event, dict) and event.get("e") in _KNOWN_EVENTS
    return Drop.MALFORMED if known or not isinstance(event, dict | list) else Drop.UNKNOWN_EVENT
