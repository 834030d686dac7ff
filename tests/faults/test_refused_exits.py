"""What a refusal means for an exit: the right wait, the right alarm, and never a second executed order."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.world import World, fresh, interpose
from trading import execution, gateway
from trading.domain.types import Side
from trading.exchange.endpoints import Endpoints
from trading.exchange.rest import BinanceMargin
from trading.models import Event, OrderAttempt, OrderIntent

ORDER = {"path": "margin/order", "method": "POST"}


def pause_after(world: World, intent: OrderIntent) -> float:
    """Execute once; how many seconds until the next attempt."""
    began = world.desk.clock()
    due = execution.execute(intent.pk, world.desk)
    assert due is not None
    return (due - began).total_seconds()


def assert_sold_once(world: World, intent: OrderIntent) -> None:
    (sale,) = world.orders("SELL")
    assert fresh(intent).state == "done"
    assert fresh(intent).executed_quantity == Decimal(sale["executed"])
    assert world.violations() == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-2010, "Account has insufficient balance for requested action."),
        (-1013, "Filter failure: MARKET_LOT_SIZE"),
        (-1100, "Illegal characters found in parameter 'quantity'."),
        (-1111, "Precision is over the maximum defined for this asset."),
    ],
)
def test_refusal_is_recorded_and_the_exit_tried_again(world: World, code: int, message: str) -> None:
    position = world.enter()
    world.control.fault("error_code", code=code, msg=message, count=1, **ORDER)
    intent = world.request_exit(position)
    assert 0.1 < pause_after(world, intent) < 2
    first = OrderAttempt.objects.get(intent=intent)
    assert (first.status, first.error_code, first.error) == ("not_executed", code, message)
    assert fresh(intent).state == "pending"
    world.settle(intent)
    assert fresh(intent).attempts_made == 2
    assert_sold_once(world, intent)


@pytest.mark.parametrize(
    ("fault", "at_least", "at_most"),
    [
        ({"kind": "http_status", "status": 429, "retry_after": 7}, 7, 9),
        ({"kind": "error_code", "code": -1003, "status": 429}, 10, 12),
        ({"kind": "error_code", "code": -1003}, 10, 12),
        ({"kind": "http_status", "status": 418, "retry_after": 33}, 33, 35),
        ({"kind": "ban", "seconds": 20}, 19, 23),
        ({"kind": "http_status", "status": 403}, 60, 62),
        ({"kind": "error_code", "code": -2015, "status": 401}, 60, 62),
        ({"kind": "error_code", "code": -1022}, 60, 62),
    ],
    ids=["429", "429 without a time", "-1003", "418", "ban", "403", "key", "signature"],
)
def test_exchange_that_turns_requests_away_is_left_alone_for_as_long_as_it_says(
    world: World, fault: dict[str, Any], at_least: float, at_most: float
) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    limits = ORDER if fault["kind"] != "ban" else {}
    world.control.fault(**fault, **limits)
    assert at_least <= pause_after(world, intent) <= at_most
    waiting = fresh(intent)
    assert (waiting.state, waiting.refusals, waiting.attempts_made) == ("pending", 1, 1)
    assert world.orders("SELL") == []


def test_wrong_clock_is_set_right_and_the_order_signed_again_at_once(world: World) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    pair = world.pair()
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    world.control.fault("clock_skew_ms", ms=90_000)
    execution.run_attempt(attempt, world.desk, world.early(pair))
    first = OrderAttempt.objects.get(intent=intent)
    assert (first.status, first.error_code) == ("not_executed", -1021)
    assert execution.execute(intent.pk, world.desk) is None
    second = OrderAttempt.objects.get(intent=intent, number=2)
    assert second.timestamp_ms - first.timestamp_ms > 89_000
    assert_sold_once(world, intent)


def test_clock_that_cannot_be_set_right_is_no_unknown_outcome(world: World) -> None:
    position = world.enter(Side.SHORT)
    intent = world.request_exit(position)
    world.control.fault("error_code", code=-1021, count=1, **ORDER)
    world.control.fault("http_status", status=503, path="api/v3/time", count=2)
    execution.execute(intent.pk, world.desk)
    assert OrderAttempt.objects.get(intent=intent, number=1).status == "not_executed"
    assert world.settle(intent).state == "done"


def test_refused_connection_sent_nothing_and_is_tried_again_at_once(world: World) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    nowhere = BinanceMargin(
        Endpoints(api="http://127.0.0.1:9", fapi="http://127.0.0.1:9"), api_key="a", api_secret="b"
    )
    desk = interpose(world, send_market_order=nowhere.send_market_order)
    due = execution.execute(intent.pk, desk)
    nowhere.close()
    waiting = fresh(intent)
    assert due is not None
    # Three times at once, then with a pause: a host that is gone is not hammered either.
    assert (waiting.state, waiting.attempts_made, waiting.refusals) == ("pending", 4, 4)
    assert {attempt.status for attempt in OrderAttempt.objects.all() if attempt.intent_id == intent.pk} == {
        "not_executed"
    }
    world.settle(intent)
    assert_sold_once(world, intent)


def test_panic_after_many_failures_is_louder_and_slower_but_never_gives_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    world.control.fault("error_code", code=-1013, msg="Filter failure: LOT_SIZE", **ORDER)
    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        for minutes in range(12):
            assert execution.execute(intent.pk, world.later(minutes * 60))
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    retried = Event.objects.filter(intent=intent, kind="intent.retried")
    pauses = [(datetime.fromisoformat(event.data["due"]) - event.at).total_seconds() for event in retried]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 30]
    levels = [record.levelname for record in caplog.records if "times in a row" in record.message]
    assert levels == ["WARNING"] * 5 + ["CRITICAL"] * 7
    world.control.clear_faults()
    OrderIntent.objects.filter(pk=intent.pk).update(next_attempt_at=gateway.utc_now())
    assert execution.execute(intent.pk, world.desk) is None
    assert_sold_once(world, intent)


def test_insufficient_balance_with_a_flat_position_ends_the_exit_after_one_refusal(world: World) -> None:
    """The owner closed it between the plan and the order: equal refusals do not repeat in a loop."""
    position = world.enter()
    pair = world.pair()
    intent = world.request_exit(position)
    world.control.trade("SELL", "all", symbol="BTCUSDT")
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    execution.run_attempt(attempt, world.desk, world.early(pair))
    done = world.settle(intent)
    assert (done.state, done.attempts_made) == ("done", 2)
    assert [refusal["code"] for refusal in world.refusals()] == [-2010]
    position.refresh_from_db()
    assert (position.state, position.exit_reason) == ("closed", "test: found flat")
