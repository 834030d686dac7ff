"""An order that its name does not lead to although it was executed, and one by hand that looks like it."""

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from django.conf import settings

from tests.domain.factories import own_trade
from tests.other_clients import python_binance
from tests.trading.world import PRICE, SYMBOL, World, fresh, interpose, until
from trading import evidence, execution
from trading.domain.client_ids import client_order_id
from trading.domain.lifecycle import PositionState
from trading.domain.types import OrderReport, OrderSide, OwnTrade
from trading.execution import Desk
from trading.models import OrderAttempt

ORDER = {"path": "margin/order", "method": "POST"}


def unnamed(world: World, **calls: Any) -> Desk:
    """A desk for which no order can be found by its name."""

    def find_order(_symbol: str, _name: str) -> OrderReport | None:
        return None

    return interpose(world, find_order=find_order, **calls)


@pytest.mark.parametrize("ratio", ["1", "0.5"])
def test_order_that_its_name_does_not_lead_to_is_found_by_its_trades(world: World, ratio: str) -> None:
    position = world.enter()
    world.give_base("1")
    world.control.fault("partial_fill", ratio=ratio, count=1)
    world.control.fault("timeout_after_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    done = world.settle(intent, unnamed(world))
    first, *rest = world.orders("SELL")
    found = OrderAttempt.objects.get(intent=intent, number=1)
    assert (found.status, found.order_id) == ("executed", str(first["order_id"]))
    assert (done.state, done.attempts_made) == ("done", 1 + len(rest))
    assert done.executed_quantity == sum(Decimal(order["executed"]) for order in (first, *rest))
    assert world.violations() == []


def test_sale_of_the_same_by_hand_is_not_taken_for_an_order_that_was_lost(world: World) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    execution.execute(intent.pk, world.desk)
    sent = OrderAttempt.objects.get(intent=intent).quantity
    world.control.trade("SELL", str(sent), symbol=SYMBOL)
    assert world.settle(intent).state in {"done", "dust"}
    assert not OrderAttempt.objects.filter(intent=intent, status="executed").exists()
    assert fresh(intent).executed_quantity == 0
    position.refresh_from_db()
    assert position.exit_reason == "test: found flat"


def test_only_orders_that_may_be_the_lost_one_are_asked_about(world: World) -> None:
    """On its side, and traded since it was signed; the exchange's clock may be a second behind."""
    intent = world.request_exit(world.enter())
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    asked: list[str] = []

    def trade(order_id: str, side: OrderSide, after_ms: int) -> OwnTrade:
        made = own_trade(1, side, "0.01", PRICE, order_id=order_id)
        return replace(made, time_ms=attempt.timestamp_ms + after_ms)

    def somebody_elses(_symbol: str, order_id: str) -> OrderReport:
        asked.append(order_id)
        amount = Decimal("0.01")
        return OrderReport(
            SYMBOL, order_id, "by-hand", OrderSide.SELL, "FILLED", "MARKET", amount, amount, amount, 0
        )

    sell, buy = OrderSide.SELL, OrderSide.BUY
    trades = [trade("too-early", sell, -1001), trade("first", sell, -1000), trade("bought", buy, 0)]
    desk = unnamed(world, trades=lambda _symbol: trades, find_order_by_id=somebody_elses)
    assert evidence.find(attempt, desk.exchange) is None
    assert asked == ["first"]


def test_trade_whose_order_cannot_be_looked_up_yet_leaves_the_outcome_open(world: World) -> None:
    """With collateral in the pair, a second order would sell it."""
    position = world.enter()
    world.give_base("1")
    world.control.fault("timeout_after_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    attempt = OrderAttempt.objects.get(intent=intent)
    until(lambda: world.exchange.now_ms() > execution.fence_ms(attempt))
    execution.execute(intent.pk, unnamed(world, find_order_by_id=lambda _symbol, _order_id: None))
    assert (fresh(intent).state, fresh(intent).attempts_made) == ("unknown", 1)
    assert len(world.orders("SELL")) == 1


def test_an_order_from_before_the_attempt_is_not_taken_for_it(world: World) -> None:
    """In a database that was lost or restored, numbers come again, and so do names of orders."""
    position = world.enter()
    intent = world.request_exit(position)
    name = client_order_id(intent.pk, 1, purpose="exit", tag=settings.INSTALLATION_TAG)
    assert position.quantity is not None
    lot = position.quantity.quantize(Decimal("0.00001"), rounding=ROUND_DOWN)
    with python_binance(world.simulator.url) as earlier:
        details = {"symbol": SYMBOL, "isIsolated": "TRUE", "type": "MARKET"}
        earlier.create_margin_order(**details, side="BUY", quantity=str(lot + Decimal("0.00001")))
        earlier.create_margin_order(**details, side="SELL", quantity=str(lot), newClientOrderId=name)
    sold_ms = world.exchange.now_ms()
    until(lambda: world.exchange.now_ms() > sold_ms + evidence.CLOCK_AHEAD_MS)
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    world.settle(intent)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert world.pair().base.net < Decimal("0.0001")
