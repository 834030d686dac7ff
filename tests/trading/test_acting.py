"""A stop that has fired is seen through, whatever goes wrong on the way."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from django.db import connection

from tests.trading.world import World, signal_for, until
from trading import entry, services
from trading.consumer import acting, loading
from trading.consumer.acting import Acting
from trading.consumer.lanes import Lane, Lanes
from trading.consumer.watched import EntryWatch, StopWatch
from trading.domain.lifecycle import PositionState
from trading.domain.types import Tick
from trading.models import OrderIntent, Position
from trading.tasks import execute_intent

Done = TypeVar("Done")


def exit_at_its_stop(watch: StopWatch) -> None:
    """What the consumer does when the stop is touched, until it has nothing left to do."""

    async def act() -> None:
        lanes, ended = Lanes(1), asyncio.Event()
        try:
            Acting(lanes, changed=ended.set).exit(watch, touched(watch.position))
            async with asyncio.timeout(20):
                await ended.wait()
        finally:
            lanes.close()

    asyncio.run(act())


def enter_on_a_signal(position: Position) -> None:
    """What the consumer does when the averages cross, until it has nothing left to do."""

    async def act() -> None:
        lanes, ended = Lanes(1), asyncio.Event()
        detector = loading.detector_for(position, now_ms=1)
        try:
            Acting(lanes, changed=ended.set).enter(EntryWatch(position, detector), signal_for(position))
            async with asyncio.timeout(20):
                await ended.wait()
        finally:
            lanes.close()

    asyncio.run(act())
    position.refresh_from_db()


def touched(position: Position) -> Tick:
    assert position.stop_price is not None
    return Tick(position.slot.symbol, position.stop_price, position.extreme_time_ms + 1)


def failing(real: Callable[..., Done], once: Exception, *, after: bool) -> Callable[..., Done]:
    """The real verb, whose first call ends in an error before or after it has done everything."""
    left = [once]

    def verb(**details: Any) -> Done:
        if left and not after:
            raise left.pop()
        done = real(**details)
        if left:
            raise left.pop()
        return done

    return verb


@pytest.mark.parametrize("after", [False, True])
def test_exit_survives_an_error_that_nobody_expected(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(acting, "RETRY_S", 0.01)
    position = world.enter()
    surprise = RuntimeError("a surprise")
    monkeypatch.setattr(services, "exit_now", failing(services.exit_now, surprise, after=after))
    exit_at_its_stop(StopWatch(position))
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert len(world.orders("SELL")) == 1


def test_claim_whose_answer_was_lost_is_pursued(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row says Exiting, the executor holds nothing: it must find the intent that it has committed."""
    monkeypatch.setattr(acting, "RETRY_S", 0.01)
    watch = StopWatch(world.enter())
    position = Position.objects.select_related("slot__account").get(pk=watch.position.pk)
    world.request_exit(position)
    assert watch.position.state == PositionState.ACTIVE
    exit_at_its_stop(watch)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert len(world.orders("SELL")) == 1


def test_entry_that_ends_in_an_error_that_nobody_expected_is_cancelled_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its detector has fired: armed, it would wait for ever."""
    surprise = RuntimeError("a surprise")
    monkeypatch.setattr(entry, "enter", failing(entry.enter, surprise, after=False))
    position = world.armed()
    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        enter_on_a_signal(position)
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert (position.state, world.orders()) == ("cancelled", [])
    assert position.note == "entry given up: RuntimeError: a surprise"
    (alarm,) = (record for record in caplog.records if record.levelname == "CRITICAL")
    assert "an error nobody expected" in alarm.getMessage()


def test_entry_that_is_committed_is_seen_through_after_such_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    surprise = RuntimeError("a surprise")
    monkeypatch.setattr(entry, "enter", failing(entry.enter, surprise, after=True))
    position = world.armed()
    enter_on_a_signal(position)
    assert (position.state, len(world.orders())) == ("active", 1)


def test_entry_without_an_answer_of_the_exchange_is_given_up_with_what_was_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "RETRY_S", 0.01)
    monkeypatch.setenv("BINANCE_API_KEY", "")
    position = world.armed()
    enter_on_a_signal(position)
    assert position.state == "cancelled"
    assert "BINANCE_API_KEY" in position.note


def test_a_lane_that_is_closed_leaves_no_connection_open(world: World) -> None:
    lane = Lane("short-lived")
    backend = lane.submit(_backend).result(10)
    assert backend in _backends()
    lane.close()
    until(lambda: backend not in _backends())


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _backends() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity")
        return {pid for (pid,) in cursor.fetchall()}


def test_exit_of_an_account_without_keys_is_left_to_whoever_has_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer is alive, so nobody stands in for it: unclaimed, the touch would concern nobody else."""
    monkeypatch.setattr(acting, "RETRY_S", 0.01)
    watch = StopWatch(world.enter())
    monkeypatch.setenv("BINANCE_API_KEY", "")

    async def act() -> None:
        lanes, ended = Lanes(1), asyncio.Event()
        try:
            Acting(lanes, changed=ended.set).exit(watch, touched(watch.position))
            await lanes.books.run(lambda: until(OrderIntent.objects.filter(purpose="exit").exists))
            await lanes.books.run(lambda: world.settle(OrderIntent.objects.get(purpose="exit")))
            async with asyncio.timeout(20):
                await ended.wait()
        finally:
            lanes.close()

    asyncio.run(act())
    position = Position.objects.get()
    assert (position.state, position.exit_reason) == ("closed", "trailing stop")
    assert len(world.orders("SELL")) == 1


def test_exit_that_needs_another_attempt_does_not_wait_for_a_broker_that_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed = threading.Event()
    monkeypatch.setattr(execute_intent, "apply_async", lambda *_, **__: freed.wait(20))
    watch = StopWatch(world.enter())
    world.control.fault("error_code", code=-2010, path="/sapi/v1/margin/order", count=1)

    async def act() -> None:
        lanes = Lanes(1)
        try:
            Acting(lanes, changed=lambda: None).exit(watch, touched(watch.position))
            closed = Position.objects.filter(state=PositionState.CLOSED)
            await lanes.others.run(lambda: until(closed.exists, within_s=5))
        finally:
            freed.set()
            lanes.close()

    asyncio.run(act())
    assert len(world.orders("SELL")) == 1
