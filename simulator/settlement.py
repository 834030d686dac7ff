"""What one fill moves: base and quote change hands, the fee comes out of what was received."""

from decimal import Decimal

from simulator import lending
from simulator.accounts import Pair
from simulator.ledger import ZERO, Ledger, Wallet, round_down
from simulator.orders import REPAYING, Fill, Order


def spending(pair: Pair, side: str) -> Wallet:
    """The wallet that an order of this side pays from."""
    return pair.quote if side == "BUY" else pair.base


def receiving(pair: Pair, side: str) -> Wallet:
    """The wallet that an order of this side is paid into."""
    return pair.base if side == "BUY" else pair.quote


def reserve(ledger: Ledger, pair: Pair, order: Order, amount: Decimal) -> None:
    """Lock `amount` of the spent asset for the order."""
    ledger.lock(spending(pair, order.side), amount)
    order.reserved += amount


def release(ledger: Ledger, pair: Pair, order: Order, keep: Decimal = ZERO) -> Decimal:
    """Unlock what the order has set aside beyond `keep`; returns how much."""
    surplus = max(ZERO, order.reserved - keep)
    ledger.unlock(spending(pair, order.side), surplus)
    order.reserved -= surplus
    return surplus


def settle(
    ledger: Ledger,
    pair: Pair,
    order: Order,
    take: tuple[Decimal, Decimal],
    *,
    trade_id: int,
    is_maker: bool,
    now_ms: int,
) -> Fill:
    """Book one trade at (price, quantity) out of what the order has locked, and note it on the order."""
    price, quantity = take
    quote = round_down(price * quantity)
    spent, received = (quote, quantity) if order.side == "BUY" else (quantity, quote)
    ledger.pay_locked(spending(pair, order.side), spent, "market")
    order.reserved -= spent
    target = receiving(pair, order.side)
    ledger.receive(target, received, "market")
    commission = round_down(received * pair.info.fee)
    ledger.pay(target, commission, "fees")
    fill = Fill(
        trade_id,
        order.order_id,
        order.symbol,
        order.side,
        price,
        quantity,
        quote,
        commission,
        target.asset,
        is_maker,
        now_ms,
    )
    order.fills.append(fill)
    order.executed += quantity
    order.quote_executed += quote
    return fill


def repay_from(ledger: Ledger, pair: Pair, order: Order, fills: list[Fill]) -> None:
    """AUTO_REPAY: what these fills brought in, after fees, goes into the debt of the same asset."""
    if order.request.side_effect not in REPAYING or not fills:
        return
    gross = sum((fill.quantity if order.side == "BUY" else fill.quote for fill in fills), ZERO)
    fees = sum((fill.commission for fill in fills), ZERO)
    lending.repay(ledger, receiving(pair, order.side), gross - fees)


def undo_loan(ledger: Ledger, pair: Pair, order: Order, unspent: Decimal) -> None:
    """Pay back what an ended order borrowed and did not spend (autoRepayAtCancel)."""
    if order.loan and order.request.repay_at_cancel:
        lending.repay(ledger, spending(pair, order.side), min(order.loan, unspent))
