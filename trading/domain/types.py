"""The words of the system as values. Pure: no Django, no I/O, no clock.

Units everywhere: prices and amounts in quote currency, quantities in base currency, exchange times
in milliseconds since the epoch (UTC).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    """The direction of a position."""

    LONG = "long"
    SHORT = "short"

    @property
    def entry_order(self) -> "OrderSide":
        return OrderSide.BUY if self is Side.LONG else OrderSide.SELL

    @property
    def exit_order(self) -> "OrderSide":
        return OrderSide.SELL if self is Side.LONG else OrderSide.BUY


class OrderSide(StrEnum):
    """The direction of an order, in Binance's spelling."""

    BUY = "BUY"
    SELL = "SELL"


class Venue(StrEnum):
    ISOLATED_MARGIN = "isolated_margin"
    USDM_FUTURES = "usdm_futures"


@dataclass(frozen=True, slots=True, order=True)
class SlotKey:
    """The unit of ownership. Its text form is the only spelling of a slot anywhere."""

    account: str
    venue: Venue
    symbol: str
    side: Side

    def __str__(self) -> str:
        return f"{self.account}:{self.venue}:{self.symbol}:{self.side}"

    @classmethod
    def parse(cls, text: str) -> "SlotKey":
        """The inverse of `str()`. Raises ValueError if `text` is not a slot key."""
        account, venue, symbol, side = text.split(":")
        return cls(account, Venue(venue), symbol, Side(side))


@dataclass(frozen=True, slots=True)
class Tick:
    """One price, from a stream or from REST; `time_ms` is the exchange's own time of it.

    `trade_id` is 0 where it is not the price of a single trade.
    """

    symbol: str
    price: Decimal
    time_ms: int
    trade_id: int = 0


@dataclass(frozen=True, slots=True)
class Candle:
    symbol: str
    interval: str
    open_time_ms: int
    close_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closed: bool


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """What the exchange allows for one symbol. A step of 0 means that the filter is switched off."""

    symbol: str
    base_asset: str
    quote_asset: str
    trading: bool
    margin_allowed: bool
    tick_size: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_lot_step: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    order_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A pair that the exchange lists for isolated margin."""

    symbol: str
    base_asset: str
    quote_asset: str


@dataclass(frozen=True, slots=True)
class AssetBalance:
    """One asset of one isolated pair, in units of that asset."""

    asset: str
    free: Decimal
    locked: Decimal
    borrowed: Decimal
    interest: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked

    @property
    def debt(self) -> Decimal:
        return self.borrowed + self.interest

    @property
    def net(self) -> Decimal:
        return self.total - self.debt


@dataclass(frozen=True, slots=True)
class MarginPair:
    """An isolated margin pair as the exchange reports it: balances, no position and no entry price."""

    symbol: str
    base: AssetBalance
    quote: AssetBalance


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """One fill of the account's own, as `myTrades` reports it."""

    trade_id: int
    order_id: str
    symbol: str
    side: OrderSide
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class OrderReport:
    """The exchange's word on one order. `fills` may be empty even when something was executed."""

    symbol: str
    order_id: str
    client_order_id: str
    side: OrderSide
    status: str
    order_type: str
    quantity: Decimal
    executed_quantity: Decimal
    executed_quote: Decimal
    time_ms: int
    fills: tuple[OwnTrade, ...] = ()

    @property
    def is_final(self) -> bool:
        return self.status in {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"}


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """A market order about to be sent. `timestamp_ms` is signed into the request: with `recv_window_ms`
    it fences the order, which the exchange refuses once timestamp + recvWindow has passed.
    """

    symbol: str
    side: OrderSide
    quantity: Decimal
    client_order_id: str
    side_effect: str
    timestamp_ms: int
    recv_window_ms: int
