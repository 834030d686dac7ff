"""A symbol that was not streamed before: what is traded until its stream is acknowledged counts too.

And what becomes of more streams than one connection carries.
"""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.world import SYMBOL, World
from trading.consumer import backfill, process
from trading.consumer.process import Consumer
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side, Tick
from trading.exchange import streams
from trading.exchange.connection import Link, LinkState


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def consume(act: Callable[[Consumer], Coroutine[Any, Any, None]]) -> None:
    """A consumer whose stream is connected, and acknowledges and brings what the test says."""

    async def run() -> None:
        consumer = Consumer()
        try:
            consumer.on_link(LinkState(Link.CONNECTED))
            await consumer.sync()
            await act(consumer)
            await consumer.acting.finish()
        finally:
            consumer.lanes.close()

    asyncio.run(run())


def watched(consumer: Consumer) -> bool:
    return bool(consumer.market.symbols[SYMBOL].stops)


def fall_and_recover(world: World) -> None:
    for price in ("58000", "60500"):
        world.control.price(SYMBOL, price)


@pytest.mark.parametrize("answer", [Link.SUBSCRIBED, Link.REFUSED])
def test_past_is_asked_for_once_the_stream_is_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: Link
) -> None:
    monkeypatch.setattr(backfill, "SUBSCRIBED_WITHIN_S", 20)
    position = world.enter()

    async def act(consumer: Consumer) -> None:
        for _ in range(3):
            await consumer.lanes.loading.run(lambda: None)
        assert not watched(consumer)
        fall_and_recover(world)
        consumer.on_link(LinkState(answer))
        await until(lambda: consumer.acting._busy)

    consume(act)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert len(world.orders("SELL")) == 1


def test_stop_waits_for_no_stream_that_does_not_answer_and_asks_again_once_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "SUBSCRIBED_WITHIN_S", 0.05)
    position = world.enter()

    async def act(consumer: Consumer) -> None:
        await until(lambda: watched(consumer))
        fall_and_recover(world)
        consumer.on_link(LinkState(Link.SUBSCRIBED))
        await until(lambda: consumer.acting._busy)

    consume(act)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert len(world.orders("SELL")) == 1


def test_stop_whose_past_cannot_be_asked_for_is_watched_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat says that the consumer is well: nobody else would watch it."""
    monkeypatch.setattr(backfill, "SUBSCRIBED_WITHIN_S", 0.05)
    position = world.enter()
    world.control.fault("http_status", status=503, path="/api/v3/aggTrades")

    async def act(consumer: Consumer) -> None:
        await until(lambda: consumer.market.symbols[SYMBOL].unloaded)
        price, time_ms = Decimal(58_000), position.extreme_time_ms + 1
        consumer.market.on_tick(Tick(SYMBOL, price, time_ms))
        await until(lambda: consumer.acting._busy)

    consume(act)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert len(world.orders("SELL")) == 1


def test_nobody_goes_on_asking_for_the_past_of_a_position_that_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "SUBSCRIBED_WITHIN_S", 0.05)
    monkeypatch.setattr(process, "SYNC_S", 0.01)
    position = world.enter()
    world.control.fault("http_status", status=503, path="/api/v3/aggTrades")

    async def act(consumer: Consumer) -> None:
        await until(lambda: consumer.market.symbols[SYMBOL].unloaded)
        await consumer.lanes.others.run(lambda: world.settle(world.request_exit(position)))
        await consumer.sync()
        await until(lambda: not consumer._loads)

    consume(act)


def test_of_more_streams_than_a_connection_carries_the_last_candles_are_left_out_and_told_of_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (process, streams):
        monkeypatch.setattr(module, "MAX_STREAMS", 2)
    world.armed(interval="15m")
    world.armed(Side.SHORT, interval="1m")

    async def act(consumer: Consumer) -> None:
        await until(lambda: len(consumer.market.streams()) == 3)
        for _ in range(3):
            await consumer.sync()
        assert consumer.stream._wanted == {"btcusdt@trade", "btcusdt@kline_15m"}
        consumer.market.keep_only(set())
        await consumer.sync()

    consume(act)
    (told,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert "1 of 3 streams are left out" in told.getMessage()
    assert "disarm something (btcusdt@kline_1m)" in told.getMessage()


def test_more_prices_of_stops_than_a_connection_carries_do_not_end_the_consumer(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (process, streams):
        monkeypatch.setattr(module, "MAX_STREAMS", 0)
    world.enter()

    async def act(consumer: Consumer) -> None:
        await consumer.sync()
        assert not consumer.stream._wanted

    consume(act)
    assert "1 of 1 streams are left out" in caplog.text
