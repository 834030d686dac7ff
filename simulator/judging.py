"""Judging each execution by the definitions of `positions`."""

from decimal import Decimal

from simulator.accounts import Pair
from simulator.orders import Order
from simulator.positions import Execution, Violation, advance, dust, violations


def judge(pair: Pair, order: Order, before: Decimal, price: Decimal) -> list[Violation]:
    """What an order has just done wrong, and the pair's episode carried on.

    `before` is the position before this execution (base currency), `price` its last fill's (quote currency).
    """
    after = pair.position
    execution = Execution(
        order.order_id,
        order.side,
        order.request.side_effect,
        order.by_hand,
        before,
        after,
        dust(pair.info, price),
    )
    found = [
        Violation(
            kind,
            order.api_key,
            order.symbol,
            order.order_id,
            order.client_order_id,
            before,
            after,
            order.update_ms,
        )
        for kind in violations(execution, pair.episode)
    ]
    advance(pair.episode, execution)
    return found
