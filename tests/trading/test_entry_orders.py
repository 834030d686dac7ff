"""Entering: once per signal, never a second order for one that may be executed."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from tests import factories
from tests.trading.world import SYMBOL, World, fresh, interpose, signal_for
from trading import entry, execution
from trading.domain.types import Side
from trading.exchange.endpoints import Endpoints
from trading.exchange.rest import BinanceMargin
from trading.models import Account, Event, OrderAttempt, OrderIntent, Position

ORDER = {"path": "margin/order", "method": "POST"}


def enter(world: World, position: Position) -> bool:
    sent = entry.enter(position=position, signal=signal_for(position), desk=world.desk)
    position.refresh_from_db()
    return sent


def settled_entry(world: World, position: Position) -> OrderIntent:
    intent = world.settle(OrderIntent.objects.get(position=position))
    position.refresh_from_db()
    return intent


@pytest.mark.parametrize("side", list(Side))
def test_signal_opens_the_position_with_its_stop(world: World, side: Side) -> None:
    position = world.enter(side)
    (order,) = world.orders()
    assert (order["side"], order["side_effect"]) == (side.entry_order, "MARGIN_BUY")
    assert position.binance_position_id == str(order["order_id"])
    assert position.signal_id == f"{position.pk}:1"
    assert position.stop_price is not None
    assert position.entry_price is not None
    gap = position.entry_price - position.stop_price
    assert gap == (position.distance if side is Side.LONG else -(position.distance or 0))
    assert position.extreme_price == position.entry_price
    assert world.control.ledger()["accounts"][0]["pairs"][0]["side"] == side


def test_signal_that_comes_twice_opens_one_position(world: World) -> None:
    position = world.armed()
    stale = Position.objects.select_related("slot__account").get(pk=position.pk)
    assert enter(world, position)
    assert not enter(world, position)
    assert not enter(world, stale)
    assert len(world.orders()) == 1
    assert OrderIntent.objects.count() == 1


def test_an_entry_is_never_signed_anew_the_exchange_refuses_one_that_was_held_up(world: World) -> None:
    position = world.armed()

    def now_ms() -> int:
        held_up = 600_000 if OrderAttempt.objects.exists() else 0
        return world.exchange.now_ms() + held_up

    before = world.exchange.now_ms()
    entry.enter(position=position, signal=signal_for(position), desk=interpose(world, now_ms=now_ms))
    assert before <= OrderAttempt.objects.get().timestamp_ms <= world.exchange.now_ms()
    assert len(world.orders()) == 1


def test_refused_entry_is_cancelled_with_the_reason_and_never_sent_again(world: World) -> None:
    position = world.armed()
    world.control.fault("error_code", code=-3006, msg="Exceeding the maximum borrowable limit.", **ORDER)
    enter(world, position)
    assert position.state == "cancelled"
    assert "maximum borrowable" in position.note
    world.control.clear_faults()
    intent = OrderIntent.objects.get()
    assert intent.state == "refused"
    attempt = OrderAttempt.objects.get()
    assert (attempt.quantity, attempt.answered_at) == (intent.quantity, intent.settled_at)
    assert execution.execute(intent.pk, world.later(3600)) is None
    assert world.orders() == []
    kinds = list(Event.objects.filter(position=position).values_list("kind", flat=True))
    assert kinds[-1] == "position.cancelled"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_status", "status": 429, "retry_after": 1},
        {"kind": "error_code", "code": -1013},
        {
            "kind": "error_code",
            "code": -2010,
            "msg": "Account has insufficient balance for requested action.",
        },
        {"kind": "http_status", "status": 403},
    ],
    ids=["429", "filter", "balance", "firewall"],
)
def test_entry_that_was_not_executed_is_not_made_up_for_later(world: World, fault: dict[str, Any]) -> None:
    position = world.armed()
    world.control.fault(**fault, **ORDER)
    enter(world, position)
    assert position.state == "cancelled"
    assert OrderAttempt.objects.count() == 1


def test_entry_whose_answer_was_lost_is_found_and_becomes_active(world: World) -> None:
    position = world.armed()
    world.control.fault("timeout_after_accept", count=1, **ORDER)
    assert enter(world, position)
    assert position.state == "entering"
    intent = settled_entry(world, position)
    assert (intent.state, intent.attempts_made, position.state) == ("done", 1, "active")
    assert position.stop_price is not None
    assert len(world.orders()) == 1


def test_entry_that_cannot_be_found_past_the_fence_is_cancelled_and_not_sent_again(world: World) -> None:
    position = world.armed()
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    assert enter(world, position)
    intent = settled_entry(world, position)
    assert (intent.state, intent.attempts_made) == ("refused", 1)
    assert OrderAttempt.objects.get().error_code == 0, "the exchange has refused nothing"
    assert (position.state, position.note) == ("cancelled", "not found: it was never accepted")
    assert world.orders() == []


def test_entry_is_not_given_up_before_the_fence(world: World) -> None:
    settings.BACKEND_TIMEOUT_MS = 600_000
    position = world.armed()
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    enter(world, position)
    intent = OrderIntent.objects.get()
    for seconds in (10, 20, 30):
        desk = world.later(seconds)
        due = execution.execute(intent.pk, desk)
        assert due is not None
        assert due - desk.clock() < timedelta(seconds=1), "it is looked up again soon"
    position.refresh_from_db()
    assert (fresh(intent).state, position.state) == ("unknown", "entering")


@pytest.mark.parametrize(("beyond_ms", "state"), [(0, "unknown"), (1, "refused")])
def test_entry_is_given_up_only_once_the_fence_has_passed(world: World, beyond_ms: int, state: str) -> None:
    position = world.armed()
    world.control.fault("timeout_before_accept", count=1, **ORDER)
    enter(world, position)
    attempt = OrderAttempt.objects.get()
    desk = interpose(world, now_ms=lambda: execution.fence_ms(attempt) + beyond_ms)
    execution.execute(attempt.intent_id, replace(desk, clock=world.later(10).clock))
    assert OrderIntent.objects.get().state == state


def test_entry_that_never_left_is_tried_three_times_and_then_cancelled(world: World) -> None:
    nowhere = BinanceMargin(
        Endpoints(api="http://127.0.0.1:9", fapi="http://127.0.0.1:9"), api_key="a", api_secret="b"
    )
    position = world.armed()
    desk = interpose(world, send_market_order=nowhere.send_market_order)
    entry.enter(position=position, signal=signal_for(position), desk=desk)
    nowhere.close()
    position.refresh_from_db()
    assert position.state == "cancelled"
    assert OrderAttempt.objects.count() == 3


def test_entry_that_the_exchange_refused_for_our_clock_is_sent_again(world: World) -> None:
    position = world.armed()
    world.control.fault("error_code", code=-1021, msg="outside of the recvWindow", count=1, **ORDER)
    assert enter(world, position)
    assert (position.state, OrderAttempt.objects.count()) == ("active", 2)


def held_up(world: World) -> tuple[Position, OrderIntent]:
    """An entry whose request never left, and whose process is gone."""
    position = world.armed()
    nowhere = BinanceMargin(
        Endpoints(api="http://127.0.0.1:9", fapi="http://127.0.0.1:9"), api_key="a", api_secret="b"
    )
    desk = interpose(world, send_market_order=nowhere.send_market_order)
    quantity, distance = entry._terms(position, desk.exchange)
    attempt = entry._commit(position, signal_for(position), quantity, distance, desk)
    assert attempt is not None
    execution.run_attempt(attempt, desk)
    nowhere.close()
    intent = fresh(attempt.intent)
    assert intent.state == "pending"
    return position, intent


def test_entry_that_was_held_up_is_not_made_up_for(world: World) -> None:
    position, intent = held_up(world)
    assert execution.execute(intent.pk, world.later(60)) is None
    position.refresh_from_db()
    assert (position.state, fresh(intent).state) == ("cancelled", "refused")
    assert "too old" in position.note
    assert world.orders() == []


@pytest.mark.parametrize("changes", [{"entries_paused": True}, {"active": False}])
def test_entry_that_was_held_up_is_not_sent_once_entries_are_paused_or_the_account_is_off(
    world: World, changes: dict[str, bool]
) -> None:
    position, intent = held_up(world)
    Account.objects.update(**changes)
    assert execution.execute(intent.pk, world.desk) is None
    position.refresh_from_db()
    assert (position.state, world.orders()) == ("cancelled", [])
    assert "paused" in position.note


def test_pause_between_the_claim_of_an_entry_and_its_order_is_respected(world: World) -> None:
    position, intent = held_up(world)
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    Account.objects.update(entries_paused=True)
    execution.run_attempt(attempt, world.desk)
    position.refresh_from_db()
    assert (position.state, world.orders()) == ("cancelled", [])
    assert "paused" in position.note


def test_partly_filled_entry_is_what_was_filled_and_not_topped_up(world: World) -> None:
    position = world.armed()
    world.control.fault("partial_fill", ratio="0.5", count=1)
    assert enter(world, position)
    (order,) = world.orders()
    assert position.state == "active"
    bought = Decimal(order["executed"])
    assert position.quantity == bought - bought * Decimal("0.001")
    assert world.settle(world.request_exit(position)).state == "done"
    assert world.violations() == []


def test_empty_book_opens_nothing(world: World) -> None:
    position = world.armed(Side.SHORT)
    world.sim("depth", symbol=SYMBOL, levels=0)
    enter(world, position)
    assert (position.state, position.note) == ("cancelled", "nothing was executed")
    # The loan went back, its first hour of interest stayed: less than a lot, and no obstacle to the next.
    assert 0 < world.pair().base.debt < Decimal("0.00001")
    world.sim("depth", symbol=SYMBOL, levels=100)
    again = world.enter(Side.SHORT)
    assert world.settle(world.request_exit(again)).state == "done"
    assert world.pair().base.debt == 0


@pytest.mark.parametrize(
    ("changes", "says"), [({"entries_paused": True}, "paused"), ({"active": False}, "switched off")]
)
def test_paused_account_and_one_that_is_off_enter_nothing(
    world: World, changes: dict[str, bool], says: str
) -> None:
    position = world.armed()
    Account.objects.update(**changes)
    assert not enter(world, position)
    assert position.state == "cancelled"
    assert says in position.note
    assert world.orders() == []


def test_account_enters_although_another_one_is_paused(world: World) -> None:
    factories.account("another", entries_paused=True)
    assert world.enter().state == "active"
