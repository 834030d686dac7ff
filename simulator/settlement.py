"""What one fill moves: base and quote change hands, the fee comes out of what was received."""

from dataclasses import dataclass
from decimal import Decimal

from simulator import lending
from simulator.accounts import Pair
from simulator.ledger import ZERO, Ledger, Wallet, round_down
from simulator.orders import REPAYING, Fill, Order


@dataclass(frozen=True, slots=True)
class Trade:
    """Price in quote currency, quantity in base, time in milliseconds since the epoch."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    is_maker: bool
    time_ms: int


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


def settle(ledger: Ledger, pair: Pair, order: Order, trade: Trade) -> Fill:
    """Book one trade out of what the order has locked, and note it on the order."""
    quote = round_down(trade.price * trade.quantity)
    spent, received = (quote, trade.quantity) if order.side == "BUY" else (trade.quantity, quote)
    ledger.pay_locked(spending(pair, order.side), spent, "market")
    order.reserved -= spent
    target = receiving(pair, order.side)
    ledger.receive(target, received, "market")
    commission = round_down(received * pair.info.fee)
    ledger.pay(target, commission, "fees")
    order.executed += trade.quantity
    order.quote_executed += quote
    fill = _fill(order, trade, quote, commission, target.asset)
    order.fills.append(fill)
    return fill


def _fill(order: Order, trade: Trade, quote: Decimal, commission: Decimal, commission_asset: str) -> Fill:
    return Fill(
        trade.trade_id,
        order.order_id,
        order.symbol,
        order.side,
        trade.price,
        trade.quantity,
        quote,
        commission,
        commission_asset,
        trade.is_maker,
        trade.time_ms,
    )


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
