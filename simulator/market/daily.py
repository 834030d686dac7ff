"""Statistics of the last 24 hours and of the last five minutes, from candles."""

from dataclasses import dataclass
from decimal import Decimal

from simulator.market.board import Board
from simulator.market.candles import NO_TRADE, ZERO
from simulator.market.intervals import DAY, MINUTE

_CANDLE = "15m"
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours of a symbol, to a quarter of an hour. Prices in quote currency, `volume` in base."""

    symbol: str
    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    volume: Decimal
    quote_volume: Decimal
    first_id: int
    last_id: int
    trades: int

    @property
    def change(self) -> Decimal:
        """Last price minus opening price."""
        return self.last - self.open

    @property
    def change_percent(self) -> Decimal:
        """The change in percent of the opening price."""
        return self.change / self.open * _HUNDRED

    @property
    def average(self) -> Decimal:
        """The volume-weighted price; the last price when nothing was traded."""
        return self.quote_volume / self.volume if self.volume else self.last


def last_day(board: Board, symbol: str) -> Day:
    """The last 24 hours. Raises KeyError for an unknown symbol."""
    now_ms = board.clock.now_ms()
    candles = board.candles(symbol, _CANDLE, end_ms=now_ms, limit=DAY // (15 * MINUTE))
    newest = board.last_trade(symbol)
    ids = [candle.first_id for candle in candles if candle.first_id != NO_TRADE]
    return Day(
        symbol=symbol,
        open_ms=now_ms - DAY,
        close_ms=now_ms,
        open=candles[0].open,
        high=max(candle.high for candle in candles),
        low=min(candle.low for candle in candles),
        last=candles[-1].close,
        last_quantity=newest.quantity if newest else ZERO,
        volume=sum((candle.volume for candle in candles), ZERO),
        quote_volume=sum((candle.quote_volume for candle in candles), ZERO),
        first_id=ids[0] if ids else NO_TRADE,
        last_id=newest.trade_id if newest else NO_TRADE,
        trades=sum(candle.trades for candle in candles),
    )


def five_minute_average(board: Board, symbol: str) -> Decimal:
    """The volume-weighted price of the last five minutes, the last price if nothing was traded."""
    candles = board.candles(symbol, "1m", limit=5)
    volume = sum((candle.volume for candle in candles), ZERO)
    if not volume:
        return candles[-1].close
    return sum((candle.quote_volume for candle in candles), ZERO) / volume
