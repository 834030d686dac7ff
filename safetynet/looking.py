"""What the account's own trades say about one pair: entry price and size of a position, or how it ended."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.episodes import Episode, derive_episode, is_dust
from trading.domain.types import MarginPair, OrderSide, OwnTrade, Side, SymbolRules
from trading.exchange.port import Exchange

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Subject:
    """One pair to look into. `owned` (signed, base) and `core_orders` are Core's part of it.

    `past_orders` are those of a Core position that has ended: they go as they came, unless somebody else
    closed it. `since` is the first trade of an episode that is known already. `price` (quote currency)
    judges dust.
    """

    pair: MarginPair
    price: Decimal
    owned: Decimal = ZERO
    core_orders: frozenset[str] = frozenset()
    past_orders: frozenset[str] = frozenset()
    since: int | None = None

    @property
    def beside(self) -> Decimal:
        """Signed base currency beside Core's part."""
        return self.pair.base.net - self.owned


def is_nothing(subject: Subject, rules: SymbolRules) -> bool:
    """Whether what is there could not be traded anyway. Needs no trades."""
    return is_dust(abs(subject.beside), rules, subject.price)


def find_episode(exchange: Exchange, subject: Subject) -> Episode | None:
    """The owner's position, None if there is none beyond dust and collateral.

    A position older than the last 24 hours takes the pair's whole history, and so does one that the
    recent trades do not add up to. Raises ExchangeError or ValueError when the trades cannot be told.
    """
    symbol = subject.pair.symbol
    rules = exchange.symbol_rules(symbol)
    if is_nothing(subject, rules):
        return None
    trades, excluded = _history(exchange, subject, rules)
    return derive_episode(
        trades,
        subject.pair,
        rules,
        price=subject.price,
        excluding_order_ids=excluded,
        owned_quantity=subject.owned,
    )


def closing_price(trades: Iterable[OwnTrade], side: Side, core_orders: Collection[str]) -> Decimal | None:
    """The average price (quote currency) that the owner closed at by hand; None if no trade shows it."""
    closing = [t for t in trades if t.side is side.exit_order and t.order_id not in core_orders]
    quantity = sum((trade.quantity for trade in closing), ZERO)
    return sum((trade.quantity * trade.price for trade in closing), ZERO) / quantity if quantity else None


def _history(
    exchange: Exchange, subject: Subject, rules: SymbolRules
) -> tuple[Sequence[OwnTrade], frozenset[str]]:
    """The trades to derive from, and the orders to leave out: the least that adds up to what is there."""
    symbol = subject.pair.symbol
    excluded = subject.core_orders | subject.past_orders
    trades = exchange.trades(symbol, from_id=subject.since)
    if _add_up(trades, excluded, subject, rules):
        return trades, excluded
    trades = exchange.trades(symbol, from_id=0)
    if _add_up(trades, excluded, subject, rules):
        return trades, excluded
    return trades, subject.core_orders


def _add_up(
    trades: Iterable[OwnTrade], excluded: Collection[str], subject: Subject, rules: SymbolRules
) -> bool:
    """Whether these trades began when the pair was flat: then they come to what is there now."""
    explained = sum((_change(t, rules.base_asset) for t in trades if t.order_id not in excluded), ZERO)
    return abs(subject.beside - explained) <= rules.lot_step + subject.pair.base.interest


def _change(trade: OwnTrade, base_asset: str) -> Decimal:
    paid = trade.commission if trade.commission_asset == base_asset else ZERO
    return (trade.quantity if trade.side is OrderSide.BUY else -trade.quantity) - paid
