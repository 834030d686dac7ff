"""What Robson needs of an exchange. Every method may raise `trading.exchange.errors.ExchangeError`."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from trading.domain.types import (
    Candle,
    MarginPair,
    MarketOrder,
    OrderReport,
    OwnTrade,
    SymbolRules,
    Tick,
)

# What one connection to Binance's streams carries.
MAX_STREAMS = 1024


class Quotes(Protocol):
    """What a preview of a position needs to know."""

    def symbol_rules(self, symbol: str) -> SymbolRules:
        """Cached. Raises `Refused` (-1121) for an unknown symbol."""

    def price(self, symbol: str) -> Tick: ...

    def candles(self, symbol: str, interval: str, *, limit: int) -> Sequence[Candle]:
        """Oldest first; the last one may still be open (`closed` is False)."""


class Exchange(Quotes, Protocol):
    """One account on one venue. Not thread-safe: one per thread."""

    def now_ms(self) -> int:
        """The exchange's time as far as known: local clock plus the measured offset."""

    def sync_clock(self) -> int:
        """Measure the offset to the exchange's clock, use it from now on, and return it in ms."""

    def ensure_clock(self) -> None:
        """Measure the offset unless this process has. Whoever dates a price by `now_ms` does this before.

        A price from the future would make a stop take all later ones for old.
        """

    def learn_rules(self, symbols: Collection[str]) -> None:
        """Have the rules of these symbols at hand, in as few calls as possible. Nothing if one is unknown."""

    def prices(self) -> Mapping[str, Decimal]:
        """The last price of every symbol, in one call."""

    def candles_between(self, symbol: str, interval: str, *, start_ms: int, end_ms: int) -> Sequence[Candle]:
        """Those that open between two exchange times, oldest first, the first thousand at most."""

    def aggregate_trades(self, symbol: str, *, start_ms: int, end_ms: int) -> Sequence[Tick]:
        """Every price between two exchange times, oldest first, paged as needed."""

    def margin_pairs(self, symbols: Collection[str] = ()) -> Mapping[str, MarginPair]:
        """Isolated pairs by symbol; without `symbols` all of the account, in one call."""

    def send_market_order(self, order: MarketOrder) -> OrderReport:
        """Send exactly one request, never retried here.

        Signed with the order's own timestamp and window. Raises every kind of `ExchangeError`.
        """

    def find_order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """None when the exchange does not know it (-2013)."""

    def find_order_by_id(self, symbol: str, order_id: str) -> OrderReport | None:
        """The same by the exchange's own id, whoever placed it."""

    def open_orders(self, symbol: str) -> Sequence[OrderReport]: ...

    def cancel_order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """None when the exchange does not know it as open (-2011): it may have filled, look it up."""

    def trades(
        self, symbol: str, *, order_id: str | None = None, from_id: int | None = None
    ) -> Sequence[OwnTrade]:
        """The account's own fills, oldest first, all pages. Without `from_id` or `order_id` the last 24 h."""
