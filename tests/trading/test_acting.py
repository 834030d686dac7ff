"""A stop that has fired is seen through, whatever goes wrong on the way."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.trading.world import World, until
from trading import services
from trading.consumer import acting
from trading.consumer.acting import Acting
from trading.consumer.lanes import Lane, Lanes
from trading.consumer.market import StopWatch
from trading.domain.lifecycle import PositionState
from trading.domain.types import Tick
from trading.models import OrderIntent, Position


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


def touched(position: Position) -> Tick:
    assert position.stop_price is not None
    return Tick(position.slot.symbol, position.stop_price, position.extreme_time_ms + 1)


def failing(once: Exception, *, after: bool) -> Callable[..., OrderIntent | None]:
    """The real exit, whose first call ends in an error before or after it has done everything."""
    left, real = [once], services.exit_now

    def exit_now(**details: Any) -> OrderIntent | None:
        if left and not after:
            raise left.pop()
        done = real(**details)
        if left:
            raise left.pop()
        return done

    return exit_now


@pytest.mark.parametrize("after", [False, True])
def test_exit_survives_an_error_that_nobody_expected(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(acting, "RETRY_S", 0.01)
    position = world.enter()
    monkeypatch.setattr(services, "exit_now", failing(RuntimeError("a surprise"), after=after))
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
