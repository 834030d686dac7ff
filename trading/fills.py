"""Fills: what an order really did. Counted once each, and complete before anything is concluded from them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Sum

from trading.domain.types import OrderReport, OrderSide, OwnTrade
from trading.exchange.errors import OutcomeUnknown
from trading.exchange.port import Exchange
from trading.models import Fill, OrderAttempt, OrderIntent

ZERO = Decimal(0)


def completed(report: OrderReport, exchange: Exchange) -> OrderReport:
    """The report with all of its fills, from the account's trades where the answer left them out.

    FILLED means the whole quantity, whatever else the answer says. Raises OutcomeUnknown while the trades do
    not add up, and ExchangeError while they cannot be read.
    """
    expected = report.quantity if report.status == "FILLED" else report.executed_quantity
    if _total(report.fills) == expected:
        return report
    trades = tuple(exchange.trades(report.symbol, order_id=report.order_id))
    if _total(trades) != expected:
        raise OutcomeUnknown(f"order {report.order_id}: its trades do not add up to {expected} yet")
    return replace(report, fills=trades, executed_quantity=expected)


def store(attempt: OrderAttempt, report: OrderReport) -> None:
    """Insert the fills that are not there yet."""
    Fill.objects.bulk_create(
        [
            Fill(
                attempt=attempt,
                slot_id=attempt.intent.slot_id,
                trade_id=trade.trade_id,
                price=trade.price,
                quantity=trade.quantity,
                commission=trade.commission,
                commission_asset=trade.commission_asset,
                traded_at=datetime.fromtimestamp(trade.time_ms / 1000, UTC),
            )
            for trade in report.fills
        ],
        ignore_conflicts=True,
    )


def base_moved(report: OrderReport, base_asset: str) -> Decimal:
    """Base currency that the order took out of (SELL) or brought into (BUY, after commission) the account."""
    commission = sum((fill.commission for fill in report.fills if fill.commission_asset == base_asset), ZERO)
    return report.executed_quantity - commission if report.side is OrderSide.BUY else report.executed_quantity


def closed_quantity(intent: OrderIntent, base_asset: str) -> Decimal:
    """The same over all recorded fills of an intent."""
    return sum((_net(fill, intent.order_side, base_asset) for fill in _fills(intent)), ZERO)


def totals(intent: OrderIntent) -> tuple[Decimal, Decimal]:
    """Executed quantity (base) and amount (quote) of all recorded fills of an intent, before commissions."""
    own = _fills(intent)
    return sum((fill.quantity for fill in own), ZERO), sum((fill.quantity * fill.price for fill in own), ZERO)


def last_time_ms(intent: OrderIntent) -> int:
    """The exchange's time (ms) of the latest recorded fill of an intent, 0 without any."""
    return max((int(fill.traded_at.timestamp() * 1000) for fill in _fills(intent)), default=0)


def commission_in(intent: OrderIntent, asset: str) -> Decimal:
    paid = Fill.objects.filter(attempt__intent=intent, commission_asset=asset).aggregate(Sum("commission"))
    return paid["commission__sum"] or ZERO


def _fills(intent: OrderIntent) -> list[Fill]:
    return list(Fill.objects.filter(attempt__intent=intent)) if intent.attempts_made else []


def _net(fill: Fill, order_side: str, base_asset: str) -> Decimal:
    if order_side == OrderSide.BUY and fill.commission_asset == base_asset:
        return Decimal(fill.quantity - fill.commission)
    return Decimal(fill.quantity)


def _total(trades: tuple[OwnTrade, ...]) -> Decimal:
    return sum((trade.quantity for trade in trades), ZERO)
