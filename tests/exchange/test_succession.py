"""A connection that is about to end is replaced while it still stands: no price falls between the two."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.exchange.waiting import running, until
from trading.domain.types import Tick
from trading.exchange.connection import Link, LinkState
from trading.exchange.frames import FrameDecoder
from trading.exchange.streams import MarketStream

FAR_FUTURE = 10**13
STREAM = "btcusdt@trade"


@dataclass
class Venue:
    """A stream host that numbers its trades and sends each of them on every connection that it has."""

    acknowledges: bool = True
    refuses_more: bool = False
    sockets: list[ServerConnection] = field(default_factory=list)
    seen: int = 0
    trades: int = 0

    async def handle(self, socket: ServerConnection) -> None:
        self.seen += 1
        if self.refuses_more and self.seen > 1:
            await socket.close(code=1008)
            return
        try:
            async for message in socket:
                if self.acknowledges or self.seen == 1:
                    await socket.send(json.dumps({"result": None, "id": json.loads(message)["id"]}))
                    self.sockets.append(socket)
        except ConnectionClosed:
            pass
        finally:
            if socket in self.sockets:
                self.sockets.remove(socket)

    async def trade(self) -> None:
        self.trades += 1
        data = {"e": "trade", "s": "BTCUSDT", "p": str(self.trades), "T": self.trades, "t": self.trades}
        for socket in list(self.sockets):
            with suppress(ConnectionClosed):
                await socket.send(json.dumps({"stream": STREAM, "data": data}))

    async def announce_shutdown(self) -> None:
        await self.sockets[0].send(json.dumps({"stream": "!serverShutdown", "data": {"e": "serverShutdown"}}))


@dataclass
class Listener:
    """A market stream's frames and states."""

    url: str
    lasts_s: float = 3600.0
    ticks: list[Tick] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)

    def stream(self) -> MarketStream:
        stream = MarketStream(
            self.url, self._take, self.states.append, lasts_s=self.lasts_s, jitter=lambda: 1.0
        )
        stream.set_streams({STREAM})
        return stream

    def _take(self, frame: bytes) -> None:
        value = FrameDecoder(lambda: FAR_FUTURE).decode(frame)
        if isinstance(value, Tick):
            self.ticks.append(value)

    def links(self, link: Link) -> int:
        return sum(state.link is link for state in self.states)

    def prices(self) -> list[Decimal]:
        """In the order of their first arrival."""
        return list(dict.fromkeys(tick.price for tick in self.ticks))


@asynccontextmanager
async def serving(venue: Venue, port: int) -> AsyncIterator[Server]:
    async with serve(venue.handle, "127.0.0.1", port) as server:
        yield server


async def trade_until_replaced(venue: Venue, listener: Listener) -> None:
    """Trades all the time, up to a few after the replacement."""
    async with asyncio.timeout(20):
        while not listener.links(Link.REPLACED):
            await venue.trade()
            await asyncio.sleep(0.002)
    for _ in range(20):
        await venue.trade()
    await until(lambda: listener.prices()[-1:] == [Decimal(venue.trades)])


async def test_no_trade_is_missed_when_the_server_announces_its_shutdown(unused_tcp_port: int) -> None:
    venue, listener = Venue(), Listener(f"ws://127.0.0.1:{unused_tcp_port}")
    async with serving(venue, unused_tcp_port), running(listener.stream().run()):
        await until(lambda: len(venue.sockets) == 1)
        await venue.announce_shutdown()
        await trade_until_replaced(venue, listener)
        await until(lambda: len(venue.sockets) == 1)

    assert listener.prices() == [Decimal(n) for n in range(1, venue.trades + 1)]
    assert (listener.links(Link.CONNECTED), listener.links(Link.DISCONNECTED)) == (1, 0)
    assert venue.seen == 2


async def test_no_trade_is_missed_when_a_connection_has_stood_long_enough(unused_tcp_port: int) -> None:
    venue, listener = Venue(), Listener(f"ws://127.0.0.1:{unused_tcp_port}", lasts_s=0.5)
    async with serving(venue, unused_tcp_port), running(listener.stream().run()):
        await until(lambda: len(venue.sockets) == 1)
        await trade_until_replaced(venue, listener)

    assert listener.prices() == [Decimal(n) for n in range(1, venue.trades + 1)]
    assert listener.links(Link.DISCONNECTED) == 0


@pytest.mark.parametrize("venue", [Venue(refuses_more=True), Venue(acknowledges=False)])
async def test_a_connection_goes_on_as_long_as_nobody_can_take_over(
    unused_tcp_port: int, venue: Venue
) -> None:
    listener = Listener(f"ws://127.0.0.1:{unused_tcp_port}")
    async with serving(venue, unused_tcp_port), running(listener.stream().run()):
        await until(lambda: len(venue.sockets) == 1)
        await venue.announce_shutdown()
        await until(lambda: venue.seen >= 2)
        await venue.trade()
        await until(lambda: listener.prices() == [Decimal(1)])

    assert listener.links(Link.REPLACED) == 0


async def test_one_that_ends_before_another_is_ready_is_a_broken_connection(unused_tcp_port: int) -> None:
    venue = Venue(acknowledges=False)
    listener = Listener(f"ws://127.0.0.1:{unused_tcp_port}")
    async with serving(venue, unused_tcp_port), running(listener.stream().run()):
        await until(lambda: len(venue.sockets) == 1)
        await venue.announce_shutdown()
        await until(lambda: venue.seen == 2)
        venue.acknowledges = True
        await venue.sockets[0].close()
        await until(lambda: listener.links(Link.SUBSCRIBED) == 2)

    assert (listener.links(Link.CONNECTED), listener.links(Link.DISCONNECTED)) == (2, 1)


async def test_a_silent_connection_can_be_given_up_after_a_replacement(unused_tcp_port: int) -> None:
    venue, listener = Venue(), Listener(f"ws://127.0.0.1:{unused_tcp_port}")
    async with serving(venue, unused_tcp_port):
        stream = listener.stream()
        async with running(stream.run()):
            await until(lambda: len(venue.sockets) == 1)
            await venue.announce_shutdown()
            await until(lambda: listener.links(Link.REPLACED) == 1)
            stream.reconnect()
            await until(lambda: listener.links(Link.CONNECTED) == 2)

    assert venue.seen == 3


async def test_what_a_callback_raises_beside_another_connection_ends_the_stream(unused_tcp_port: int) -> None:
    venue = Venue(refuses_more=False)

    def broken(state: LinkState) -> None:
        if state.link is Link.REPLACED:
            raise RuntimeError("a bug")

    stream = MarketStream(f"ws://127.0.0.1:{unused_tcp_port}", lambda _frame: None, broken, lasts_s=0.1)
    async with serving(venue, unused_tcp_port):
        with pytest.raises(RuntimeError, match="a bug"):
            async with asyncio.timeout(20):
                await stream.run()
    await until(lambda: not venue.sockets)
