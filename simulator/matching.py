"""Price rules: what a taker gets from the book, when a stop triggers, when a resting order fills."""

from collections.abc import Sequence
from decimal import Decimal

from simulator.ledger import ZERO, floor_to, round_down
from simulator.orders import Order

Level = tuple[Decimal, Decimal]


def sweep(levels: Sequence[Level], quantity: Decimal, limit: Decimal | None, side: str) -> list[Level]:
    """(price, quantity) takes from the best level on, up to `quantity` base and not worse than `limit`."""
    takes: list[Level] = []
    left = quantity
    for price, available in levels:
        if left <= 0 or (limit is not None and is_worse(price, limit, side)):
            break
        taken = min(left, available)
        takes.append((price, taken))
        left -= taken
    return takes


def affordable(levels: Sequence[Level], quote: Decimal, step: Decimal) -> Decimal:
    """The base quantity that this much quote currency is worth on the book, floored to the lot step."""
    quantity, left = ZERO, quote
    for price, available in levels:
        taken = min(available, left / price)
        quantity += taken
        left -= taken * price
        if taken < available:
            break
    return floor_to(quantity, step)


def cost(takes: Sequence[Level]) -> Decimal:
    """Quote currency for these takes, each rounded as its fill will be."""
    return sum((round_down(price * quantity) for price, quantity in takes), ZERO)


def taken(takes: Sequence[Level]) -> Decimal:
    """Base quantity of these takes."""
    return sum((quantity for _, quantity in takes), ZERO)


def is_worse(price: Decimal, limit: Decimal, side: str) -> bool:
    """Beyond the limit, from this side's point of view."""
    return price > limit if side == "BUY" else price < limit


def would_trigger(kind: str, side: str, stop_price: Decimal, last_price: Decimal) -> bool:
    """A stop loss triggers when the price moves against the holder; a take profit mirrors it."""
    falls = (side == "SELL") == kind.startswith("STOP_LOSS")
    return last_price <= stop_price if falls else last_price >= stop_price


def triggers(order: Order, last_price: Decimal) -> bool:
    """Does a waiting stop order begin to work at this trade price?"""
    stop_price = order.request.stop_price
    if stop_price is None or order.is_working:
        return False
    return would_trigger(order.request.type, order.side, stop_price, last_price)


def fills_resting(order: Order, last_price: Decimal) -> bool:
    """Does a trade at this price fill a resting limit order?"""
    limit = order.request.price
    return order.is_working and limit is not None and not is_worse(last_price, limit, order.side)
