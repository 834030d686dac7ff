"""Many processes, one position: one exit. And the control, which shows that the race is real."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
import redis

from tests.live import database_url
from tests.trading.support import PROJECT
from tests.trading.world import BACKEND_TIMEOUT_MS, RECV_WINDOW_MS, World, fresh
from trading import execution
from trading.domain.types import Side
from trading.models import Event, Fill, OrderAttempt, OrderIntent, Position
from trading.models.intent import AttemptStatus

pytestmark = pytest.mark.processes


def race(name: str, row: int, count: int) -> dict[str, Any]:
    """Let `count` processes do the same thing at the same moment. What each of them came to."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.concurrency.racing", name, str(row), str(count)],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "robson.settings",
            "DATABASE_URL": database_url(),
            "ROBSON_ORDER_RECV_WINDOW_MS": str(RECV_WINDOW_MS),
            "ROBSON_BACKEND_TIMEOUT_MS": str(BACKEND_TIMEOUT_MS),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def assert_closed_once(world: World, position: Position, side: Side = Side.LONG) -> None:
    (order,) = world.orders(side.exit_order)
    (intent,) = OrderIntent.objects.filter(purpose="exit")
    assert (intent.state, intent.executed_quantity) == ("done", Decimal(order["executed"]))
    assert Fill.objects.filter(attempt__intent=intent).count() == len(order["fills"])
    position.refresh_from_db()
    assert position.state == "closed"
    for kind in ("position.exit_requested", "position.closed", "intent.filled"):
        exit_events = Event.objects.filter(kind=kind, position=position).exclude(intent__purpose="entry")
        assert exit_events.count() == 1, kind
    assert world.violations() == []


@pytest.mark.parametrize("side", list(Side))
def test_eight_processes_that_exit_one_position_send_one_order(world: World, side: Side) -> None:
    position = world.enter(side)
    if side is Side.LONG:
        # With the owner's coins beside it, a second sale would not be refused.
        world.give_base("1")
    results = race("exit_now", position.pk, 8)["results"]
    assert results == ["claimed done", *["refused"] * 7]
    assert_closed_once(world, position, side)


def test_control_without_the_claim_the_same_race_sells_eight_times(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    results = race("unclaimed", position.pk, 8)["results"]
    assert results == ["sent"] * 8
    assert len(world.orders("SELL")) == 8
    assert {violation["kind"] for violation in world.violations()} == {"oversold", "double_exit"}


def test_task_delivered_twenty_times_at_once_sends_one_order(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    intent = world.request_exit(position)
    assert race("execute", intent.pk, 20)["results"] == ["done"] * 20
    world.settle(intent)
    assert_closed_once(world, position)
    assert OrderAttempt.objects.filter(intent=intent, status=AttemptStatus.EXECUTED).count() == 1


def test_deliveries_do_not_multiply_while_an_exit_has_to_wait(
    world: World, redis_client: redis.Redis
) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    world.control.fault("error_code", code=-1013, path="margin/order", method="POST")
    assert race("execute", intent.pk, 10)["results"] == ["done"] * 10
    assert fresh(intent).state == "pending"
    assert redis_client.llen("exits") <= fresh(intent).attempts_made


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("where", ["before_taking", "before_sending", "before_recording", "while_recording"])
def test_executor_killed_anywhere_leaves_one_exit_and_one_record(
    world: World, where: str, side: Side
) -> None:
    position = world.enter(side)
    intent = world.request_exit(position)
    assert race(f"killed_{where}", intent.pk, 1)["codes"] == [-9]
    after_the_lease = world.later(60)
    assert execution.due_intents(after_the_lease.clock()) == [intent.pk]
    world.settle(intent, after_the_lease)
    assert_closed_once(world, position, side)
