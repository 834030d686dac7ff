"""Lanes: threads whose connections outlive whatever happens to one of them."""

import asyncio
import time

from django.db import connection

from tests import factories
from tests.trading.world import World
from trading import gateway
from trading.consumer.lanes import Lane, Lanes


def session() -> int:
    """The number of this thread's database session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found: int = cursor.fetchone()[0]
    return found


def cut(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [number])


def test_a_lane_whose_connection_was_cut_is_given_another_by_keeping_it_warm(world: World) -> None:
    """Else the next exit in it would be the one to find out."""

    async def act() -> tuple[int, int]:
        lanes = Lanes(1)
        (lane,) = lanes.acting
        try:
            await lanes.warm()
            before = await lane.run(session)
            await run_beside(lane, before)
            await lanes.warm()
            return before, await lane.run(session)
        finally:
            lanes.close()

    before, after = asyncio.run(act())
    assert before != after


async def run_beside(lane: Lane, number: int) -> None:
    """Cut a lane's session from a thread that is not the lane."""
    other = Lane(f"beside-{lane.name}")
    try:
        await other.run(lambda: cut(number))
    finally:
        other.close()


def test_an_account_without_its_keys_does_not_leave_the_others_cold(world: World) -> None:
    factories.account("a-first", api_key_env="NO_SUCH_KEY")
    world.control.fault("clock_skew_ms", ms=30_000)

    async def act() -> int:
        lanes = Lanes(1)
        try:
            await lanes.warm()
            return await lanes.acting[0].run(lambda: gateway.exchange_for(world.account).now_ms())
        finally:
            lanes.close()

    assert asyncio.run(act()) > time.time() * 1000 + 25_000
