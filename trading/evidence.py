"""What the exchange tells about an order whose answer was lost."""

import logging

from trading import fills, queries
from trading.domain.exits import resend_is_harmless as _harmless
from trading.domain.types import OrderReport
from trading.exchange.errors import OutcomeUnknown
from trading.exchange.port import Exchange
from trading.models import OrderAttempt
from trading.planning import pair_of

log = logging.getLogger(__name__)

# An order is accepted with a timestamp that is this much ahead of the exchange's clock.
CLOCK_AHEAD_MS = 1_000


def find(attempt: OrderAttempt, exchange: Exchange) -> OrderReport | None:
    """The order by its client order id; failing that, by a trade of it.

    Raises ExchangeError while that cannot be told.
    """
    return find_by_name(attempt, exchange) or _executed_unseen(attempt, exchange)


def find_by_name(attempt: OrderAttempt, exchange: Exchange) -> OrderReport | None:
    """The order of this name. Raises ExchangeError.

    One from before the attempt was signed is another: numbers come again in a database that was restored.
    """
    report = exchange.find_order(attempt.intent.slot.symbol, attempt.client_order_id)
    if report is None or report.time_ms >= _earliest_ms(attempt):
        return report
    log.critical("order %s of %s bears a name that is used again", report.order_id, attempt.client_order_id)
    return None


def _earliest_ms(attempt: OrderAttempt) -> int:
    """The exchange's time before which it cannot have accepted this attempt."""
    return attempt.timestamp_ms - CLOCK_AHEAD_MS


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
    """The order of which there are trades, although it cannot be found by its name.

    The owner may trade the same by hand in the same moment: only an order's own name says whose it is.
    """
    symbol = attempt.intent.slot.symbol
    for order_id in _strangers(attempt, exchange):
        report = exchange.find_order_by_id(symbol, order_id)
        if report is None:
            raise OutcomeUnknown(f"order {order_id} has trades and cannot be found yet: it may be ours")
        if report.client_order_id == attempt.client_order_id:
            return report
    return None


def _strangers(attempt: OrderAttempt, exchange: Exchange) -> list[str]:
    """Ids of orders that nobody here knows, on the same side, traded since the attempt was signed."""
    intent = attempt.intent
    since_ms = _earliest_ms(attempt)
    known = queries.slot_order_ids(intent.slot)
    traded = {
        trade.order_id
        for trade in exchange.trades(intent.slot.symbol)
        if trade.time_ms >= since_ms and trade.side == intent.order_side
    }
    return sorted(traded - known)
