"""The times that an owner asks for: from the price that touched to the order, and to its fill."""

import time
from datetime import timedelta

import pytest
from prometheus_client import Histogram

from safetynet.models import GuardedPosition
from safetynet.services import exit_guard, poll
from tests.trading.counting import counted
from tests.trading.test_acting import exit_at_its_stop
from tests.trading.world import SYMBOL, World, fresh, interpose
from trading import metrics, operations, services
from trading.consumer.watched import StopWatch
from trading.domain.types import MarketOrder, OrderReport
from trading.exchange.errors import NotSent
from trading.models import Fill, OrderIntent

pytestmark = pytest.mark.django_db(transaction=True)


def seconds(histogram: Histogram) -> float:
    """The sum of everything that it has seen."""
    samples = (sample for family in histogram.collect() for sample in family.samples)
    return sum((float(sample.value) for sample in samples if sample.name.endswith("_sum")), 0.0)


def exit_of(purpose: str = "exit") -> OrderIntent:
    return OrderIntent.objects.get(purpose=purpose)


def test_core_is_measured_from_the_price_that_touched_its_stop(world: World) -> None:
    position = world.enter()
    before = world.desk.clock()
    with (
        counted(metrics.TRIGGER_TO_ORDER, "_count") as orders,
        counted(metrics.TRIGGER_TO_FILL, "_count") as fills,
    ):
        exit_at_its_stop(StopWatch(position))
    assert orders == fills == {("core",): 1}
    triggered_at = exit_of().triggered_at
    assert triggered_at is not None
    assert before <= triggered_at <= exit_of().created_at
    assert exit_of("entry").triggered_at is None


def test_the_safety_net_is_measured_from_the_prices_of_its_poll(world: World) -> None:
    world.control.trade("BUY", "0.01", symbol=SYMBOL)
    poll(world.account, world.desk)
    world.control.price(SYMBOL, "58000")
    asked = world.desk.clock()
    with (
        counted(metrics.TRIGGER_TO_ORDER, "_count") as orders,
        counted(metrics.TRIGGER_TO_FILL, "_count") as fills,
    ):
        poll(world.account, world.desk)
        guard = GuardedPosition.objects.get()
        exit_guard(guard.pk, world.desk)
    assert orders == fills == {("safety_net",): 1}
    assert guard.touched_at is not None
    assert asked <= guard.touched_at
    assert exit_of().triggered_at == guard.touched_at


def test_an_operator_is_measured_from_the_request(world: World) -> None:
    position = world.enter()
    with (
        counted(metrics.TRIGGER_TO_ORDER, "_count") as orders,
        counted(metrics.TRIGGER_TO_FILL, "_count") as fills,
    ):
        intent = operations.close_now(position=position, reason="enough", by="owner")
        world.settle(intent)
    assert orders == fills == {("operator",): 1}
    assert intent.triggered_at == intent.created_at


def test_time_that_an_exit_waits_before_its_order_counts(world: World) -> None:
    position = world.enter()
    heard_at = world.desk.clock() - timedelta(seconds=3)
    before = seconds(metrics.TRIGGER_TO_ORDER), seconds(metrics.TRIGGER_TO_FILL)
    services.exit_now(position=position, reason="test", desk=world.desk, triggered_at=heard_at)
    assert seconds(metrics.TRIGGER_TO_ORDER) - before[0] == pytest.approx(3.1, abs=0.1)
    assert seconds(metrics.TRIGGER_TO_FILL) - before[1] == pytest.approx(3.1, abs=0.1)


def test_every_order_that_leaves_is_measured(world: World) -> None:
    position = world.enter()
    world.control.fault("error_code", code=-3007, path="margin/order", count=2)
    with (
        counted(metrics.TRIGGER_TO_ORDER, "_count") as orders,
        counted(metrics.TRIGGER_TO_FILL, "_count") as fills,
    ):
        intent = world.settle(world.request_exit(position))
    assert (orders["core",], fills["core",], intent.attempts_made) == (3, 1, 3)


def test_an_order_that_could_not_leave_is_not_measured(world: World) -> None:
    def never(_order: MarketOrder) -> OrderReport:
        raise NotSent("no way out")

    desk, position = interpose(world, send_market_order=never), world.enter()
    with counted(metrics.TRIGGER_TO_ORDER, "_count") as orders:
        intent = services.exit_now(position=position, reason="test", desk=desk)
    assert intent is not None
    assert (intent.state, orders) == ("pending", {})


def test_a_fill_is_timed_by_the_exchange_however_late_it_is_found(world: World) -> None:
    """The answer is lost, and looked up a second later: the position was closed long before."""
    position = world.enter()
    world.control.fault("timeout_after_accept", path="margin/order", count=1)
    before = seconds(metrics.TRIGGER_TO_FILL)
    began = time.monotonic()
    intent = world.settle(world.request_exit(position))
    known_s = time.monotonic() - began
    assert fresh(intent).state == "done"
    assert seconds(metrics.TRIGGER_TO_FILL) - before < known_s / 2
    assert Fill.objects.filter(attempt__intent=intent).exists()


def test_the_exchanges_clock_may_be_another_one(world: World) -> None:
    world.control.fault("clock_skew_ms", ms=5_000)
    world.exchange.sync_clock()
    position = world.enter()
    before = seconds(metrics.TRIGGER_TO_FILL)
    world.settle(world.request_exit(position))
    assert seconds(metrics.TRIGGER_TO_FILL) - before < 1
