"""Does the exchange still hold what Core owns, and if not, what do the account's own trades say?"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.rounding import market_step
from trading.domain.types import MarginPair, OrderSide, OwnTrade, Side, SymbolRules

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closing:
    """What other orders than Robson's have closed: quantity in base, average price in quote currency."""

    quantity: Decimal
    price: Decimal
    order_ids: tuple[str, ...]


def missing_quantity(side: Side, owned: Decimal, pair: MarginPair, rules: SymbolRules) -> Decimal:
    """How much of `owned` (base) the exchange does not hold (any more). Less than a lot is none.

    A long is what coins are there, a short is what is owed on balance.
    """
    held = pair.base.total if side is Side.LONG else max(-pair.base.net, ZERO)
    return missing_from(held, owned, rules)


def are_its_own(side: Side, owned: Decimal, pair: MarginPair, rules: SymbolRules) -> bool:
    """Whether the balances alone tell whose they are: a debt is never collateral; coins may be."""
    return side is Side.SHORT or abs(pair.base.total - owned) < market_step(rules)


def missing_from(held: Decimal, owned: Decimal, rules: SymbolRules) -> Decimal:
    """How much of `owned` (base) is more than `held`. Less than a lot is none."""
    missing = owned - held
    return missing if missing >= market_step(rules) else ZERO


def sold_by_others(trades: Iterable[OwnTrade], ours: Collection[str], base_asset: str) -> Decimal:
    """What other orders than these have taken out on balance, in base currency; below 0 they have bought."""
    return sum((_taken_out(trade, base_asset) for trade in trades if trade.order_id not in ours), ZERO)


def closed_by_others(trades: Iterable[OwnTrade], side: Side, ours: Collection[str]) -> Closing | None:
    """What the trades on the closing side add up to, leaving out the orders that are Robson's own."""
    closing = [trade for trade in trades if trade.side is side.exit_order and trade.order_id not in ours]
    quantity = sum((trade.quantity for trade in closing), ZERO)
    if quantity <= 0:
        return None
    amount = sum((trade.quantity * trade.price for trade in closing), ZERO)
    return Closing(quantity, amount / quantity, tuple(sorted({trade.order_id for trade in closing})))


def _taken_out(trade: OwnTrade, base_asset: str) -> Decimal:
    paid = trade.commission if trade.commission_asset == base_asset else ZERO
    return (trade.quantity if trade.side is OrderSide.SELL else -trade.quantity) + paid
