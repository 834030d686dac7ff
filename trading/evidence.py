"""What the exchange tells about an order whose answer was lost."""

from trading import fills
from trading.domain.exits import resend_is_harmless as _harmless
from trading.domain.types import OrderReport
from trading.exchange.port import Exchange
from trading.models import OrderAttempt
from trading.planning import pair_of


def find(attempt: OrderAttempt, exchange: Exchange) -> OrderReport | None:
    """The order by its client order id; failing that, as the account's own trades show it."""
    symbol = attempt.intent.slot.symbol
    return exchange.find_order(symbol, attempt.client_order_id) or _executed_unseen(attempt, exchange)


def resend_is_harmless(attempt: OrderAttempt, exchange: Exchange) -> bool:
    """Whether the venue itself makes a second order harmless, should the first be executed yet."""
    intent = attempt.intent
    if not intent.is_exit:
        return False
    symbol = intent.slot.symbol
    rules = exchange.symbol_rules(symbol)
    remaining = intent.quantity - fills.closed_quantity(intent, rules.base_asset)
    return _harmless(intent.slot.position_side, remaining, pair_of(exchange, symbol), rules)


def _executed_unseen(attempt: OrderAttempt, exchange: Exchange) -> OrderReport | None:
    """An order nobody here knows, of the same side and quantity, since the attempt was signed."""
    intent = attempt.intent
    trades = exchange.trades(intent.slot.symbol)
    known = fills.known_order_ids(intent.slot)
    strangers = {
        trade.order_id
        for trade in trades
        if trade.time_ms >= attempt.timestamp_ms
        and trade.side == intent.order_side
        and trade.order_id not in known
    }
    for order_id in sorted(strangers):
        own = tuple(trade for trade in trades if trade.order_id == order_id)
        if attempt.quantity and sum(trade.quantity for trade in own) == attempt.quantity:
            return fills.report_of(own, attempt.client_order_id)
    return None
