"""The machine's clock is wrong: prices are dated by the exchange's, in every thread."""

import asyncio
import json
import time
from contextlib import closing

import pytest

from tests.trading.test_new_streams import until
from tests.trading.world import SYMBOL, World
from trading import gateway
from trading.consumer import loading
from trading.consumer.lanes import Lane, Lanes
from trading.consumer.process import Consumer
from trading.domain.lifecycle import PositionState
from trading.exchange.connection import Link, LinkState

HOUR_MS = 3_600_000


def frame(price: str, time_ms: int) -> bytes:
    data = {
        "e": "trade",
        "E": time_ms,
        "s": SYMBOL,
        "t": 10**9,
        "p": price,
        "q": "1",
        "T": time_ms,
        "m": True,
    }
    return json.dumps({"stream": f"{SYMBOL.lower()}@trade", "data": data}, separators=(",", ":")).encode()


@pytest.mark.parametrize("skew_ms", [-90_000, 90_000])
def test_stop_is_driven_by_the_stream_whatever_the_machine_thinks_the_time_is(
    world: World, skew_ms: int
) -> None:
    world.control.fault("clock_skew_ms", ms=skew_ms)
    position = world.enter()

    async def act() -> None:
        consumer = Consumer()
        try:
            await consumer.lanes.warm()
            consumer.on_link(LinkState(Link.CONNECTED))
            consumer.on_link(LinkState(Link.SUBSCRIBED))
            await consumer.sync()
            await until(lambda: consumer.market.symbols[SYMBOL].stops)
            consumer.on_frame(frame("58000", int(time.time() * 1000) + skew_ms + 500))
            assert consumer.acting._busy
            await consumer.acting.finish()
        finally:
            consumer.lanes.close()

    asyncio.run(act())
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED


@pytest.mark.parametrize("skew_ms", [-90_000, 90_000])
def test_price_is_dated_by_the_exchange_in_a_thread_that_never_signs_anything(
    world: World, skew_ms: int
) -> None:
    """Dated ahead, it would shut out all prices of the stream until their time has come."""
    world.control.fault("clock_skew_ms", ms=skew_ms)
    position = world.enter()
    with closing(Lane("loading")) as lane:
        _, prices = lane.submit(lambda: loading.load_stop(position)).result()
    assert abs(prices[-1].time_ms - world.exchange.now_ms()) < 5_000


def test_a_stop_is_not_loaded_before_the_exchange_has_told_the_time(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Loaded an hour ahead of it, it would take every price of that hour for old."""
    world.control.fault("clock_skew_ms", ms=-HOUR_MS)
    position = world.enter()
    world.control.price(SYMBOL, "60500")
    gateway._offset_at.cache_clear()
    world.control.fault("http_status", status=503, path="/api/v3/time")

    async def act() -> None:
        consumer = Consumer()
        try:
            await consumer.lanes.open()
            consumer.on_link(LinkState(Link.CONNECTED))
            consumer.on_link(LinkState(Link.SUBSCRIBED))
            await consumer.sync()
            state = consumer.market.symbols[SYMBOL]
            await until(lambda: state.stops or "cannot be watched yet" in caplog.text)
            assert not state.stops
            world.control.clear_faults()
            world.control.fault("clock_skew_ms", ms=-HOUR_MS)
            await consumer.sync()
            await until(lambda: state.stops)
            consumer.on_frame(frame("58000", int(time.time() * 1000) - HOUR_MS + 500))
            await consumer.acting.finish()
        finally:
            consumer.lanes.close()

    asyncio.run(act())
    position.refresh_from_db()
    assert (position.state, position.extreme_price) == (PositionState.CLOSED, 60_500)


def test_keeping_warm_leaves_a_lane_free_for_an_exit_though_the_exchange_lets_the_question_hang(
    world: World,
) -> None:
    world.control.fault("latency_ms", ms=300, path="/api/v3/time")

    async def act() -> None:
        lanes = Lanes(2)
        try:
            warming = asyncio.create_task(lanes.warm())
            await until(lambda: any(lane.waiting for lane in lanes.acting))
            free = lanes.freest()
            assert (free.waiting, lanes.readers[free].waiting) == (0, 0)
            await warming
        finally:
            lanes.close()

    asyncio.run(act())


def test_stream_that_lags_counts_as_silent(world: World) -> None:
    """Prices of a minute ago keep coming: a stop that is touched now would hear of it in a minute."""

    async def act() -> None:
        consumer = Consumer()
        try:
            later = time.monotonic() + 60

            def age_after(lag_ms: int) -> float:
                consumer.on_frame(frame("60000", int(time.time() * 1000) - lag_ms))
                return consumer.feed.age_s(SYMBOL, later)

            first, lagging, second = age_after(0), age_after(60_000), age_after(500)
            assert first == lagging > second
        finally:
            consumer.lanes.close()

    asyncio.run(act())
