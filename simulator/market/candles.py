"""Candles as values, and one that grows. Prices in quote currency, volumes in base unless named quote."""

from dataclasses import dataclass, field
from decimal import Decimal

from simulator.market.trades import TradePrint

ZERO = Decimal(0)
NO_TRADE = -1


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices and volumes from `open_ms` to `close_ms`, both inclusive. Ids are -1 without a known trade."""

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0
    taker_base: Decimal = ZERO
    taker_quote: Decimal = ZERO
    first_id: int = NO_TRADE
    last_id: int = NO_TRADE


@dataclass(slots=True)
class GrowingCandle:
    """A candle still open. Empty, it stands at the price the last one closed at."""

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal = field(init=False)
    low: Decimal = field(init=False)
    close: Decimal = field(init=False)
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0
    taker_base: Decimal = ZERO
    taker_quote: Decimal = ZERO
    first_id: int = NO_TRADE
    last_id: int = NO_TRADE

    def __post_init__(self) -> None:
        self.high = self.low = self.close = self.open

    def add_trade(self, trade: TradePrint) -> None:
        """Count one trade in."""
        price, quantity = trade.price, trade.quantity
        notional = price * quantity
        self._move(price, price, price, price)
        self.volume += quantity
        self.quote_volume += notional
        self.trades += 1
        if not trade.buyer_is_maker:
            self.taker_base += quantity
            self.taker_quote += notional
        self._number(trade.trade_id, trade.trade_id)

    def add_candle(self, part: "Candle | GrowingCandle") -> None:
        """Count in a shorter candle that lies inside this one. One without trades changes nothing."""
        if not part.trades:
            return
        self._move(part.open, part.high, part.low, part.close)
        self.volume += part.volume
        self.quote_volume += part.quote_volume
        self.trades += part.trades
        self.taker_base += part.taker_base
        self.taker_quote += part.taker_quote
        if part.first_id != NO_TRADE:
            self._number(part.first_id, part.last_id)

    def frozen(self) -> Candle:
        """The candle as it stands now."""
        return Candle(
            self.open_ms,
            self.close_ms,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.quote_volume,
            self.trades,
            self.taker_base,
            self.taker_quote,
            self.first_id,
            self.last_id,
        )

    def _move(self, first: Decimal, high: Decimal, low: Decimal, last: Decimal) -> None:
        if not self.trades:
            self.open = self.high = self.low = first
        self.high = max(self.high, high)
        self.low = min(self.low, low)
        self.close = last

    def _number(self, first_id: int, last_id: int) -> None:
        if self.first_id == NO_TRADE:
            self.first_id = first_id
        self.last_id = last_id
