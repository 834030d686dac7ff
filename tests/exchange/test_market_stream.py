"""The market stream against the simulator, and against a server of the test's own for what that cannot do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from robson.local.simulator import SimulatorProcess
from tests.exchange.waiting import running, until
from trading.domain.types import Candle, Tick
from trading.exchange.connection import Link, LinkState
from trading.exchange.frames import FrameDecoder
from trading.exchange.streams import MarketStream

FAR_FUTURE = 10**13


@dataclass
class Heard:
    """What a stream delivered."""

    frames: list[bytes] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)

    def links(self, link: Link) -> int:
        return sum(state.link is link for state in self.states)

    def values(self) -> list[Tick | Candle]:
        decoder = FrameDecoder(lambda: FAR_FUTURE)
        return [value for frame in self.frames if (value := decoder.decode(frame))]

    def prices(self, symbol: str) -> list[Decimal]:
        return [value.price for value in self.values() if isinstance(value, Tick) and value.symbol == symbol]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def stream_of(url: str, heard: Heard) -> MarketStream:
    return MarketStream(url, heard.frames.append, heard.states.append, jitter=lambda: 1.0)


async def test_prices_of_the_wanted_streams_arrive(simulator: SimulatorProcess, heard: Heard) -> None:
    stream = stream_of(simulator.ws_url, heard)
    stream.set_streams({"btcusdt@trade"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED))
        simulator.control.price("ETHUSDT", "2500")
        simulator.control.price("BTCUSDT", "61234.50")
        await until(lambda: heard.prices("BTCUSDT"))

    assert Decimal("61234.50") in heard.prices("BTCUSDT")
    assert heard.prices("ETHUSDT") == []


async def test_candles_arrive_when_they_are_wanted(simulator: SimulatorProcess, heard: Heard) -> None:
    stream = stream_of(simulator.ws_url, heard)
    stream.set_streams({"btcusdt@kline_1s"})

    async with running(stream.run()):
        await until(lambda: any(isinstance(value, Candle) and value.closed for value in heard.values()))


async def test_subscriptions_follow_what_is_wanted_without_a_new_connection(
    simulator: SimulatorProcess, heard: Heard
) -> None:
    stream = stream_of(simulator.ws_url, heard)
    stream.set_streams({"btcusdt@trade"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        stream.set_streams({"ethusdt@trade"})
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)
        simulator.control.price("BTCUSDT", "61000")
        simulator.control.price("ETHUSDT", "2500")
        await until(lambda: heard.prices("ETHUSDT"))

    assert heard.prices("BTCUSDT") == []
    assert heard.links(Link.CONNECTED) == 1


async def test_every_change_of_what_is_wanted_is_answered_once(
    simulator: SimulatorProcess, heard: Heard
) -> None:
    stream = stream_of(simulator.ws_url, heard)
    assert stream.set_streams({"btcusdt@trade"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        assert not stream.set_streams({"btcusdt@trade"})
        assert stream.set_streams({"btcusdt@trade", "ethusdt@trade"})
        # Taken back before it was asked for: nothing is left to acknowledge, and whoever waits hears that.
        assert not stream.set_streams({"btcusdt@trade"})
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)
        assert stream.set_streams({"btcusdt@trade", "ethusdt@trade"})
        await until(lambda: heard.links(Link.SUBSCRIBED) == 3)

    assert heard.links(Link.SUBSCRIBED) == 3


async def test_a_dropped_connection_comes_back_with_its_subscriptions(
    simulator: SimulatorProcess, heard: Heard
) -> None:
    stream = stream_of(simulator.ws_url, heard)
    stream.set_streams({"btcusdt@trade"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        simulator.control.fault("drop_stream", count=1)
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)
        simulator.control.price("BTCUSDT", "61000")
        await until(lambda: Decimal(61000) in heard.prices("BTCUSDT"))

    assert heard.links(Link.DISCONNECTED) == 1


async def test_a_silent_connection_can_be_given_up_for_another(
    simulator: SimulatorProcess, heard: Heard
) -> None:
    stream = stream_of(simulator.ws_url, heard)
    stream.set_streams({"btcusdt@trade"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        stream.reconnect()
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)


async def test_garbage_between_frames_does_not_end_the_stream(
    simulator: SimulatorProcess, heard: Heard
) -> None:
    stream = stream_of(simulator.ws_url, heard)
    stream.set_streams({"btcusdt@trade"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        simulator.control.fault("malformed_frames", count=3)
        for price in range(61000, 61010):
            simulator.control.price("BTCUSDT", str(price))
        await until(lambda: Decimal(61009) in heard.prices("BTCUSDT"))

    assert heard.links(Link.CONNECTED) == 1


async def test_a_server_that_is_away_is_waited_for(unused_tcp_port: int, heard: Heard) -> None:
    stream = stream_of(f"ws://127.0.0.1:{unused_tcp_port}", heard)

    async with running(stream.run()):
        await until(lambda: heard.links(Link.DISCONNECTED) == 1)
        async with server_at(unused_tcp_port, silent):
            await until(lambda: heard.links(Link.CONNECTED) == 1)


async def test_cancelling_ends_the_stream_at_once(simulator: SimulatorProcess, heard: Heard) -> None:
    stream = stream_of(simulator.ws_url, heard)

    async with running(stream.run()) as task:
        await until(lambda: heard.links(Link.CONNECTED))
        task.cancel()
        await until(task.done, within_s=3)


@pytest.mark.parametrize(
    "name", ["", "btcusdt", "BTCUSDT@trade", "btc usdt@trade", "btcusdt@", "btcusdt@trade\n"]
)
def test_a_name_that_would_close_the_connection_is_refused(heard: Heard, name: str) -> None:
    with pytest.raises(ValueError, match="not names of streams"):
        stream_of("ws://127.0.0.1:1", heard).set_streams({"btcusdt@trade", name})


def test_more_streams_than_one_connection_carries_are_refused(heard: Heard) -> None:
    with pytest.raises(ValueError, match="1025"):
        stream_of("ws://127.0.0.1:1", heard).set_streams({f"s{n}@trade" for n in range(1025)})


async def test_what_a_callback_raises_ends_the_stream(simulator: SimulatorProcess) -> None:
    def broken(_state: LinkState) -> None:
        raise RuntimeError("a bug")

    stream = MarketStream(simulator.ws_url, lambda _frame: None, broken)

    with pytest.raises(RuntimeError, match="a bug"):
        await stream.run()


Behaviour = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def server_at(port: int, behave: Behaviour) -> AsyncIterator[None]:
    async def handle(socket: ServerConnection) -> None:
        try:
            await behave(socket)
        except ConnectionClosed:
            return

    async with serve(handle, "127.0.0.1", port):
        yield


async def silent(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def test_an_announced_shutdown_is_answered_with_a_new_connection(
    unused_tcp_port: int, heard: Heard
) -> None:
    async def shut_down(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"e": "serverShutdown", "E": 1}))
        await socket.wait_closed()

    async with server_at(unused_tcp_port, shut_down):
        stream = stream_of(f"ws://127.0.0.1:{unused_tcp_port}", heard)
        async with running(stream.run()):
            await until(lambda: heard.links(Link.REPLACED) == 1)

    assert heard.links(Link.DISCONNECTED) == 0


async def test_requests_keep_below_five_messages_a_second(unused_tcp_port: int, heard: Heard) -> None:
    arrivals: list[float] = []

    async def acknowledge(socket: ServerConnection) -> None:
        async for message in socket:
            arrivals.append(asyncio.get_running_loop().time())
            await socket.send(json.dumps({"result": None, "id": json.loads(message)["id"]}))

    async with server_at(unused_tcp_port, acknowledge):
        stream = stream_of(f"ws://127.0.0.1:{unused_tcp_port}", heard)
        stream.set_streams({f"s{n}@trade" for n in range(401)})
        async with running(stream.run()):
            await until(lambda: len(arrivals) == 5)

    # Two of the five are left for a ping and a pong.
    assert all(later - earlier > 1.0 for earlier, later in zip(arrivals, arrivals[3:], strict=False))


async def test_frames_spelled_in_another_order_are_delivered_too(unused_tcp_port: int, heard: Heard) -> None:
    trade = {"e": "trade", "s": "BTCUSDT", "p": "1.5", "T": 5}
    odd: list[Any] = [{"data": trade, "stream": "btcusdt@trade"}, [], {"id": {}}, {"result": None, "id": 99}]

    async def send_odd(socket: ServerConnection) -> None:
        for frame in odd:
            await socket.send(json.dumps(frame))
        await socket.send("not json")
        await socket.wait_closed()

    async with server_at(unused_tcp_port, send_odd):
        stream = stream_of(f"ws://127.0.0.1:{unused_tcp_port}", heard)
        async with running(stream.run()):
            await until(lambda: b"not json" in heard.frames)

    assert heard.prices("BTCUSDT") == [Decimal("1.5")]
    assert heard.links(Link.CONNECTED) == 1


async def test_a_refused_stream_is_reported_and_the_others_are_carried(
    unused_tcp_port: int, heard: Heard
) -> None:
    carried: set[str] = set()

    async def refuse_one(socket: ServerConnection) -> None:
        async for message in socket:
            request = json.loads(message)
            if "oldusdt@trade" in request["params"]:
                answer = {"error": {"code": 2, "msg": "Invalid request"}, "id": request["id"]}
            else:
                carried.update(request["params"])
                answer = {"result": None, "id": request["id"]}
            await socket.send(json.dumps(answer))

    async with server_at(unused_tcp_port, refuse_one):
        stream = stream_of(f"ws://127.0.0.1:{unused_tcp_port}", heard)
        stream.set_streams({"btcusdt@trade", "oldusdt@trade"})
        async with running(stream.run()):
            await until(lambda: heard.links(Link.REFUSED))

    assert carried == {"btcusdt@trade"}
    refusal = next(state for state in heard.states if state.link is Link.REFUSED)
    assert "oldusdt@trade" in refusal.detail
