"""An unclear answer is not a failure: it is looked up, and nothing is sent twice that may be executed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from tests.trading.world import BACKEND_TIMEOUT_MS, RECV_WINDOW_MS, SYMBOL, World, fresh, interpose, until
from trading import execution
from trading.domain.client_ids import client_order_id
from trading.domain.types import MarginPair, MarketOrder, OrderReport, Side
from trading.exchange.errors import OutcomeUnknown
from trading.models import Event, Fill, OrderAttempt, OrderIntent

ORDER = {"path": "margin/order", "method": "POST"}
FENCE_MS = RECV_WINDOW_MS + BACKEND_TIMEOUT_MS


def assert_one_sale(world: World, intent: OrderIntent) -> None:
    """One order closed the position, and its fills are on record."""
    done = fresh(intent)
    (sale,) = world.orders("SELL")
    assert (done.state, done.executed_quantity) == ("done", Decimal(sale["executed"]))
    assert done.executed_quote == Decimal(sale["quote_executed"])
    assert world.violations() == []


def says_filled(world: World, intent: OrderIntent, **changes: Any) -> dict[str, Any]:
    """The body of an answer that says FILLED to the intent's first order, without its fills."""
    name = client_order_id(intent.pk, 1, purpose="exit", tag=settings.INSTALLATION_TAG)
    body: dict[str, Any] = {
        "symbol": SYMBOL,
        "orderId": world.control.orders()[-1]["order_id"] + 1,
        "clientOrderId": name,
        "transactTime": world.exchange.now_ms(),
        "origQty": "0.00757",
        "executedQty": "0.00757",
        "cummulativeQuoteQty": "0",
        "status": "FILLED",
        "type": "MARKET",
        "side": "SELL",
        "fills": [],
    }
    return body | changes


@pytest.mark.parametrize("side", list(Side))
def test_order_whose_answer_was_lost_is_found_and_not_sent_again(world: World, side: Side) -> None:
    position = world.enter(side)
    world.control.fault("timeout_after_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "unknown"
    done = world.settle(intent)
    (order,) = world.orders(side.exit_order)
    assert (done.state, done.attempts_made) == ("done", 1)
    assert done.executed_quantity == Decimal(order["executed"])
    assert OrderAttempt.objects.get(intent=intent).order_id == str(order["order_id"])
    assert world.violations() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_status", "status": 503, "after": True},
        {"kind": "http_status", "status": 200, "after": True},
        {"kind": "error_code", "code": -1006, "after": True},
        {"kind": "error_code", "code": -1007, "status": 503, "after": True},
        {"kind": "reset_connection", "after": True},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', fault.get('code', ''))}",
)
def test_executed_order_with_a_useless_answer_is_found(world: World, fault: dict[str, Any]) -> None:
    position = world.enter()
    world.control.fault(count=1, **ORDER, **fault)
    intent = world.request_exit(position)
    world.settle(intent)
    assert_one_sale(world, intent)
    assert fresh(intent).attempts_made == 1


def test_long_without_collateral_is_sent_again_before_the_fence(world: World) -> None:
    position = world.enter()
    settings.BACKEND_TIMEOUT_MS = 600_000
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    world.settle(intent)
    assert_one_sale(world, intent)
    assert fresh(intent).attempts_made == 2


@pytest.mark.parametrize("case", ["short", "collateral"])
def test_otherwise_nothing_is_sent_again_before_the_fence(world: World, case: str) -> None:
    side = Side.SHORT if case == "short" else Side.LONG
    position = world.enter(side)
    if case == "collateral":
        world.give_base("1")
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    world.settle(intent)
    first, second = OrderAttempt.objects.filter(intent=intent).order_by("number")
    assert second.timestamp_ms - first.timestamp_ms > FENCE_MS
    assert first.status == "not_executed"
    assert len(world.orders(side.exit_order)) == 1
    assert world.violations() == []


def test_late_order_is_refused_by_the_exchange_since_it_carries_its_attempts_own_time(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    world.control.fault("late_accept", delay_ms=FENCE_MS + 1_500, count=1, **ORDER)
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    attempt = OrderAttempt.objects.get(intent=intent)
    world.settle(intent)
    until(lambda: world.exchange.now_ms() > attempt.timestamp_ms + FENCE_MS + 2_500)
    assert [order["client_order_id"][-2:] for order in world.orders("SELL")] == ["-2"]
    assert world.violations() == []


def test_control_a_late_order_with_a_wider_window_would_sell_the_collateral(world: World) -> None:
    """What the fence is for: the same as above, signed for a minute."""
    position = world.enter()
    world.give_base("1")
    world.control.fault("late_accept", delay_ms=FENCE_MS + 1_500, count=1, **ORDER)

    def send_wide(order: MarketOrder) -> OrderReport:
        return world.exchange.send_market_order(replace(order, recv_window_ms=60_000))

    intent = world.request_exit(position)
    world.settle(intent, interpose(world, send_market_order=send_wide))
    violations = until(world.violations)
    assert {violation["kind"] for violation in violations} == {"oversold", "double_exit"}


def test_late_order_of_a_long_without_collateral_finds_nothing_to_sell(world: World) -> None:
    position = world.enter()
    settings.ORDER_RECV_WINDOW_MS = 10_000
    world.control.fault("late_accept", delay_ms=2_500, count=1, **ORDER)
    intent = world.request_exit(position)
    world.settle(intent)
    (refusal,) = until(world.refusals)
    assert (refusal["code"], refusal["client_order_id"][-2:]) == (-2010, "-1")
    assert_one_sale(world, intent)


def test_filled_without_fills_takes_them_from_the_trades(world: World) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    body = says_filled(world, intent)
    world.control.fault("http_status", status=200, after=True, body=body, count=1, **ORDER)
    world.settle(intent)
    assert_one_sale(world, intent)
    position.refresh_from_db()
    assert position.exit_price == Decimal(60_000)


def test_filled_with_nothing_executed_is_a_contradiction_that_the_trades_decide(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    intent = world.request_exit(position)
    body = says_filled(world, intent, executedQty="0")
    world.control.fault("http_status", status=200, after=True, body=body, count=1, **ORDER)
    world.settle(intent)
    assert_one_sale(world, intent)


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "http_status", "status": 429, "retry_after": 1},
        {"kind": "error_code", "code": -1003},
        {"kind": "error_code", "code": -1100},
        {"kind": "http_status", "status": 200},
        {"kind": "http_status", "status": 503},
        {"kind": "timeout_before_accept"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', fault.get('code', ''))}",
)
def test_trouble_while_reading_the_fills_never_counts_as_an_order_not_executed(
    world: World, trouble: dict[str, Any]
) -> None:
    """With collateral in the pair a second order would sell it: the trades must be asked again instead.

    They are asked for the first time before the order, to see whether the owner has sold by hand.
    """
    position = world.enter()
    world.give_base("1")
    intent = world.request_exit(position)
    body = says_filled(world, intent)
    world.control.fault("http_status", status=200, after=True, body=body, count=1, **ORDER)
    world.control.fault(path="margin/myTrades", count=2, **trouble)
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "unknown"
    assert len(world.orders("SELL")) == 1
    world.settle(intent)
    assert_one_sale(world, intent)


@pytest.mark.parametrize("status", [503, 429])
def test_trouble_before_anything_is_sent_costs_no_fence(world: World, status: int) -> None:
    """The plan could not be made, so nothing was sent: the next attempt need not wait for anything."""
    position = world.enter(Side.SHORT)
    settings.BACKEND_TIMEOUT_MS = 600_000
    world.control.fault("http_status", status=status, retry_after=1, path="isolated/account", count=1)
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "pending"
    assert world.settle(intent).state == "done"
    assert len(world.orders("BUY")) == 1


def test_pair_that_the_exchange_leaves_out_is_no_crash_and_not_flat(world: World) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    body: dict[str, Any] = {"assets": []}
    world.control.fault("http_status", status=200, body=body, path="isolated/account", count=1)
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "pending"
    assert world.settle(intent).state == "done"
    assert_one_sale(world, intent)


def test_lookup_that_fails_is_tried_again_less_often_and_alarms(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = world.enter()
    world.control.fault("timeout_after_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    world.control.fault("http_status", status=503, path="margin/order", method="GET")
    pauses = []
    for hours in range(1, 8):
        desk = world.later(hours * 3600)
        due = execution.execute(intent.pk, desk)
        assert due is not None
        pauses.append(round((due - desk.clock()).total_seconds()))
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] > 5
    assert (fresh(intent).state, fresh(intent).refusals) == ("unknown", len(pauses))
    alarms = [record.levelname for record in caplog.records if "stays unclear" in record.message]
    assert alarms == ["WARNING"] * 5 + ["CRITICAL"] * 2
    world.control.clear_faults()
    OrderIntent.objects.filter(pk=intent.pk).update(next_attempt_at=world.desk.clock())
    world.settle(intent)
    assert_one_sale(world, intent)


def test_order_that_is_executed_while_it_is_looked_up_is_still_recorded(world: World) -> None:
    """The look-up finds nothing, then the order is executed, then the balances are read: empty."""
    position = world.enter()
    held_up: list[MarketOrder] = []

    def send_later(order: MarketOrder) -> OrderReport:
        if held_up:
            return world.exchange.send_market_order(order)
        held_up.append(order)
        raise OutcomeUnknown("no answer")

    def pairs_after_execution(symbols: list[str]) -> dict[str, MarginPair]:
        if held_up and not world.orders("SELL"):
            world.exchange.send_market_order(replace(held_up[0], recv_window_ms=60_000))
        return dict(world.exchange.margin_pairs(symbols))

    desk = interpose(world, send_market_order=send_later, margin_pairs=pairs_after_execution)
    intent = world.request_exit(position)
    world.settle(intent, desk)
    assert_one_sale(world, intent)
    position.refresh_from_db()
    assert position.exit_price == Decimal(60_000)
    assert position.realised_pnl is not None


def test_order_that_overtakes_its_second_attempt_is_still_recorded(world: World) -> None:
    """Sent again because that is harmless; the first order wins the race after all."""
    position = world.enter()
    held_up: list[MarketOrder] = []

    def first_wins(order: MarketOrder) -> OrderReport:
        if held_up:
            world.exchange.send_market_order(replace(held_up[0], recv_window_ms=60_000))
            return world.exchange.send_market_order(order)
        held_up.append(order)
        raise OutcomeUnknown("no answer")

    intent = world.request_exit(position)
    settings.BACKEND_TIMEOUT_MS = 600_000
    world.settle(intent, interpose(world, send_market_order=first_wins))
    assert_one_sale(world, intent)
    position.refresh_from_db()
    assert position.exit_price == Decimal(60_000)
    assert Fill.objects.filter(attempt__intent=intent).count() == len(world.orders("SELL")[0]["fills"])


def test_order_that_was_refused_is_not_looked_for_when_nothing_is_left(world: World) -> None:
    """Only what could not be found may have overtaken: a refusal is an answer."""
    position = world.enter()
    world.control.fault("error_code", code=-1013, count=1, **ORDER)
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    world.control.trade("SELL", "all", symbol=SYMBOL)
    names: list[str] = []

    def find_order(symbol: str, name: str) -> OrderReport | None:
        names.append(name)
        return world.exchange.find_order(symbol, name)

    done = world.settle(intent, interpose(world, find_order=find_order))
    assert (done.state, done.executed_quantity, names) == ("done", 0, [])


def test_event_log_tells_of_the_unknown_outcome_and_its_resolution(world: World) -> None:
    position = world.enter()
    world.control.fault("timeout_after_accept", count=1, **ORDER)
    intent = world.request_exit(position)
    world.settle(intent)
    kinds = list(Event.objects.filter(intent=intent).values_list("kind", flat=True))
    assert kinds == ["intent.claimed", "intent.sent", "intent.unknown", "intent.filled", "intent.settled"]
