"""The consumer's recurring jobs: what goes wrong in one of them, and how they end."""

import asyncio
from decimal import Decimal

import pytest
from django.db import OperationalError

from tests.trading.test_acting import failing
from tests.trading.test_new_streams import consume, until, watched
from tests.trading.world import SYMBOL, World
from trading import reconciliation, services
from trading.consumer import backfill, process
from trading.consumer.process import Consumer
from trading.domain.types import Tick


def test_a_helper_that_fails_does_not_take_the_stops_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fail again at the next start, and at each one after that."""
    world.enter()
    helped: list[object] = []

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(process, "_companions", [broken, helped.append])
    monkeypatch.setattr(reconciliation, "reconcile", broken)

    async def act(consumer: Consumer) -> None:
        await consumer.watch_others()
        await consumer.reconcile()

    consume(act)
    assert len(helped) == 1


def test_peak_that_could_not_be_saved_is_saved_with_the_next_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll would go on from the old one, should it have to stand in."""
    monkeypatch.setattr(backfill, "SUBSCRIBED_WITHIN_S", 0.05)
    away = OperationalError("the database is away")
    monkeypatch.setattr(services, "save_progress", failing(services.save_progress, away, after=False))
    position = world.enter()

    async def act(consumer: Consumer) -> None:
        await until(lambda: watched(consumer))
        consumer.market.on_tick(Tick(SYMBOL, Decimal(61_000), world.exchange.now_ms() + 500))
        with pytest.raises(OperationalError):
            await consumer.persist()
        await consumer.persist()

    consume(act)
    position.refresh_from_db()
    assert position.extreme_price == 61_000


def test_news_at_the_moment_of_the_end_do_not_keep_a_job_going() -> None:
    """It would go on to ask for lanes that are closed."""

    async def act() -> None:
        wake = asyncio.Event()
        job = asyncio.create_task(process._pause(20, wake))
        await asyncio.sleep(0.01)
        wake.set()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    asyncio.run(act())
