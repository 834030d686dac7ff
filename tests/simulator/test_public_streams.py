"""Events of the public streams: shapes, timing, faults, and clients that misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from simulator.market.intervals import MINUTE
from simulator.streams.connection import StreamSettings
from tests.simulator.market.support import (
    PATIENCE_S,
    START_MS,
    Server,
    StoppedClock,
    ask,
    board_at,
    receive,
    serving,
    until,
)

BTC = "BTCUSDT"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest.fixture
async def stopped() -> AsyncIterator[Server]:
    """A server whose clock stands still, and whose timed streams are moved by hand."""
    board, _ = board_at()
    async with serving(board, StreamSettings(self_ticking=False)) as running:
        yield running


def tick(server: Server, ms: int) -> None:
    assert isinstance(server.clock, StoppedClock)
    server.clock.at_ms += ms
    server.streams.timed.tick()


def trade(server: Server, price: int | str, symbol: str = BTC) -> None:
    server.board.print_trade(symbol, Decimal(price), Decimal("0.5"))


async def test_trade_event_has_the_exchange_own_fields(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@trade")
    printed = stopped.board.print_trade(BTC, Decimal("61000.5"), Decimal("0.25"), buyer_is_maker=True)
    assert await receive(socket) == {
        "e": "trade",
        "E": START_MS,
        "s": BTC,
        "t": printed.trade_id,
        "p": "61000.50000000",
        "q": "0.25000000",
        "T": START_MS,
        "m": True,
        "M": True,
    }


async def test_aggregate_trade_event_has_the_exchange_own_fields(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@aggTrade")
    printed = stopped.board.print_trade(BTC, Decimal("61000.5"), Decimal("0.25"), time_ms=START_MS - 5)
    assert await receive(socket) == {
        "e": "aggTrade",
        "E": START_MS,
        "s": BTC,
        "a": printed.agg_id,
        "p": "61000.50000000",
        "q": "0.25000000",
        "f": printed.trade_id,
        "l": printed.trade_id,
        "T": START_MS - 5,
        "m": False,
        "M": True,
    }


async def test_book_ticker_names_neither_its_type_nor_a_time(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@bookTicker")
    trade(stopped, 61_000)
    event = await receive(socket)
    assert list(event) == ["u", "s", "b", "B", "a", "A"]
    assert (event["b"], event["a"]) == ("61000.00000000", "61000.01000000")


async def test_combined_stream_wraps_each_event_in_its_name(server: Server) -> None:
    socket = await server.connect("/stream?streams=btcusdt@trade/ethusdt@trade")
    trade(server, 61_000)
    trade(server, 3_100, "ETHUSDT")
    first, second = await receive(socket), await receive(socket)
    assert (first["stream"], first["data"]["s"]) == ("btcusdt@trade", BTC)
    assert (second["stream"], second["data"]["s"]) == ("ethusdt@trade", "ETHUSDT")


async def test_only_what_was_subscribed_arrives(server: Server) -> None:
    socket = await server.connect("/ws/ethusdt@trade")
    await ask(socket, "SUBSCRIBE", "btcusdt@trade", "BTCUSDT@aggTrade", "btcusdt@nosuchstream")
    await ask(socket, "UNSUBSCRIBE", "ethusdt@trade")
    trade(server, 3_100, "ETHUSDT")
    trade(server, 61_000)
    trade(server, 61_001)
    events = [await receive(socket), await receive(socket)]
    assert [(event["e"], event["p"]) for event in events] == [
        ("trade", "61000.00000000"),
        ("trade", "61001.00000000"),
    ]


async def test_kline_is_updated_every_two_seconds_and_closed_on_time(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@kline_1m")
    trade(stopped, 61_000)
    trade(stopped, 60_500)
    tick(stopped, 0)
    opening = await receive(socket)
    assert opening == {
        "e": "kline",
        "E": START_MS,
        "s": BTC,
        "k": {
            "t": START_MS,
            "T": START_MS + MINUTE - 1,
            "s": BTC,
            "i": "1m",
            "f": 1_000_001,
            "L": 1_000_002,
            "o": "61000.00000000",
            "c": "60500.00000000",
            "h": "61000.00000000",
            "l": "60500.00000000",
            "v": "1.00000000",
            "n": 2,
            "x": False,
            "q": "60750.00000000",
            "V": "1.00000000",
            "Q": "60750.00000000",
            "B": "0",
        },
    }
    for _ in range(60):
        tick(stopped, 1_000)
    events = [await receive(socket) for _ in range(31)]
    assert [event["k"]["x"] for event in events] == [False] * 29 + [True, False]
    assert events[-2]["k"] == {**opening["k"], "x": True}
    assert events[-1]["k"]["t"] == START_MS + MINUTE
    assert (events[-1]["k"]["o"], events[-1]["k"]["f"], events[-1]["k"]["n"]) == ("60500.00000000", -1, 0)


async def test_empty_candles_close_on_time_without_any_trade(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@kline_1s")
    for _ in range(4):
        tick(stopped, 1_000)
    events = [(await receive(socket))["k"] for _ in range(3)]
    assert [event["t"] for event in events] == [START_MS + n * 1_000 for n in (1, 2, 3)]
    assert all(event["x"] and event["v"] == "0.00000000" for event in events)
    assert {event["c"] for event in events} == {"60000.00000000"}


async def test_candles_that_closed_during_a_stall_are_still_sent(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@kline_1m")
    tick(stopped, 1_000)
    await receive(socket)
    tick(stopped, 3 * MINUTE)
    closed = [(await receive(socket))["k"] for _ in range(3)]
    assert [event["t"] for event in closed] == [START_MS + n * MINUTE for n in range(3)]
    assert all(event["x"] for event in closed)


async def test_statistics_and_partial_book_are_sent_when_something_changed(stopped: Server) -> None:
    names = [
        "btcusdt@miniTicker",
        "btcusdt@ticker",
        "btcusdt@depth5@100ms",
        "btcusdt@depth10",
        "!miniTicker@arr",
    ]
    socket = await stopped.connect("/stream?streams=" + "/".join(names))
    trade(stopped, 61_000)
    tick(stopped, 1_000)
    first = {}
    for _ in names:
        event = await receive(socket)
        first[event["stream"]] = event["data"]
    assert first.keys() == set(names)
    assert list(first["btcusdt@miniTicker"]) == ["e", "E", "s", "c", "o", "h", "l", "v", "q"]
    assert set(first["btcusdt@ticker"]) == set("eEspPwxcQbBaAohlvqOCFLn")
    assert first["btcusdt@ticker"]["p"] == "1000.00000000"
    assert list(first["btcusdt@depth10"]) == ["lastUpdateId", "bids", "asks"]
    assert len(first["btcusdt@depth5@100ms"]["bids"]) == 5
    assert len(first["btcusdt@depth10"]["asks"]) == 10
    assert len(first["!miniTicker@arr"]) == len(stopped.board.catalog)
    tick(stopped, 1_000)
    trade(stopped, 61_001)
    tick(stopped, 100)
    assert (await receive(socket))["stream"] == "btcusdt@depth5@100ms"
    tick(stopped, 900)
    later = [await receive(socket) for _ in range(4)]
    assert {event["stream"] for event in later} == set(names) - {"btcusdt@depth5@100ms"}
    changed = next(event["data"] for event in later if event["stream"] == "!miniTicker@arr")
    assert [entry["s"] for entry in changed] == [BTC]


async def test_the_clock_drives_the_streams_by_itself(server: Server) -> None:
    socket = await server.connect("/ws/btcusdt@kline_1s/ethusdt@kline_1m")
    seen: set[str] = set()
    while len(seen) < 2:
        seen.add((await receive(socket))["k"]["i"])
    assert seen == {"1s", "1m"}


async def test_mute_fault_keeps_the_connection_and_its_answers_but_no_events(server: Server) -> None:
    socket = await server.connect("/ws/btcusdt@trade/ethusdt@trade")
    server.arm("mute_stream", symbol=BTC)
    trade(server, 61_000)
    trade(server, 3_100, "ETHUSDT")
    assert (await receive(socket))["s"] == "ETHUSDT"
    assert (await ask(socket, "SUBSCRIBE", "btcusdt@aggTrade"))["result"] is None
    trade(server, 61_001)
    server.faults.clear()
    trade(server, 61_002)
    assert (await receive(socket))["p"] == "61002.00000000"


async def test_mute_fault_reaches_the_streams_of_the_clock(stopped: Server) -> None:
    socket = await stopped.connect("/ws/btcusdt@kline_1m")
    stopped.arm("mute_stream")
    tick(stopped, 2_000)
    stopped.faults.clear()
    tick(stopped, 2_000)
    assert (await receive(socket))["E"] == START_MS + 4_000


async def test_drop_fault_ends_the_connections_it_names_once(server: Server) -> None:
    bitcoin, ether = await server.connect("/ws/btcusdt@trade"), await server.connect("/ws/ethusdt@trade")
    server.arm("drop_stream", symbol=BTC, count=1)
    assert (await bitcoin.receive(timeout=PATIENCE_S)).type in {
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    }
    assert server.faults.armed == []
    trade(server, 3_100, "ETHUSDT")
    assert (await receive(ether))["s"] == "ETHUSDT"
    again = await server.connect("/ws/btcusdt@trade")
    trade(server, 61_000)
    assert (await receive(again))["s"] == BTC


async def test_drop_fault_without_a_count_ends_every_new_connection(server: Server) -> None:
    server.arm("drop_stream")
    for _ in range(2):
        socket = await server.http.ws_connect(server.address + "/ws/btcusdt@trade")
        assert (await socket.receive(timeout=PATIENCE_S)).type in {
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.ERROR,
        }
        await socket.close()


async def test_malformed_fault_puts_garbage_between_good_frames(server: Server) -> None:
    socket = await server.connect("/ws/btcusdt@trade")
    server.arm("malformed_frames", count=7)
    for n in range(8):
        trade(server, 61_000 + n)
    texts = [await socket.receive_str(timeout=PATIENCE_S) for _ in range(15)]
    good = [json.loads(text)["p"] for text in [*texts[1:14:2], texts[14]]]
    assert good == [f"{61_000 + n}.00000000" for n in range(8)]
    assert len(set(texts[0:14:2])) == 7


async def test_out_of_order_fault_swaps_an_event_with_the_next(server: Server) -> None:
    socket = await server.connect("/ws/btcusdt@trade")
    server.arm("out_of_order", count=1)
    for price in (61_000, 61_001, 61_002):
        trade(server, price)
    prices = [(await receive(socket))["p"] for _ in range(3)]
    assert prices == ["61001.00000000", "61000.00000000", "61002.00000000"]


async def test_client_that_does_not_read_is_cut_off_and_stalls_nobody() -> None:
    async with serving(settings=StreamSettings(max_waiting=64 * 1024)) as server:
        slow, quick = await server.connect("/ws/btcusdt@trade"), await server.connect("/ws/btcusdt@trade")
        connection = slow._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()
        received = 0
        async with asyncio.timeout(PATIENCE_S * 3):
            while len(server.streams.hub.connections) == 2:
                for _ in range(100):
                    trade(server, 61_000)
                for _ in range(100):
                    await quick.receive_str(timeout=PATIENCE_S)
                received += 100
        trade(server, 61_001)
        assert (await receive(quick))["p"] == "61001.00000000"
        assert received > 100
        connection.transport.abort()


async def test_client_that_answers_pings_stays() -> None:
    async with serving(settings=StreamSettings(ping_interval=0.25, pong_timeout=0.6)) as server:
        socket = await server.connect("/ws", autoping=False)
        for _ in range(5):
            ping = await socket.receive(timeout=PATIENCE_S)
            assert ping.type is aiohttp.WSMsgType.PING
            await socket.pong(ping.data)
        assert not socket.closed
        assert server.streams.hub.connections


@pytest.mark.parametrize("payload", [None, b"unasked"])
async def test_client_that_does_not_answer_pings_is_dropped(payload: bytes | None) -> None:
    async with serving(settings=StreamSettings(ping_interval=0.25, pong_timeout=0.6)) as server:
        socket = await server.connect("/ws", autoping=False)
        types = []
        while not socket.closed:
            message = await socket.receive(timeout=PATIENCE_S)
            types.append(message.type)
            if message.type is aiohttp.WSMsgType.PING and payload is not None:
                await socket.pong(payload)
        assert types[0] is aiohttp.WSMsgType.PING
        await until(lambda: not server.streams.hub.connections)


@pytest.mark.parametrize(
    ("path", "unwrap"),
    [
        ("/ws", lambda message: message),
        ("/stream", lambda message: message["data"] if message["stream"] == "!serverShutdown" else None),
    ],
)
async def test_connection_ends_with_its_lifetime_after_a_warning(path: str, unwrap: Any) -> None:
    async with serving(settings=StreamSettings(lifetime=0.3, shutdown_notice=0.2)) as server:
        socket = await server.connect(path)
        warning = unwrap(await receive(socket))
        assert warning.keys() == {"e", "E"}
        assert warning["e"] == "serverShutdown"
        assert (await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == aiohttp.WSCloseCode.GOING_AWAY


async def test_shutdown_warns_and_closes_every_connection() -> None:
    async with serving() as server:
        socket = await server.connect("/ws/btcusdt@trade")
        closing = asyncio.create_task(server.streams.close())
        assert (await receive(socket))["e"] == "serverShutdown"
        assert (await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.CLOSE
        await closing


async def test_address_with_too_many_connections_is_refused() -> None:
    async with serving(settings=StreamSettings(connections=2)) as server:
        for _ in range(2):
            await server.connect("/ws")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await server.http.ws_connect(server.address + "/ws")
        assert refused.value.status == 429


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_frames_of_every_length_arrive_whole(server: Server, length: int) -> None:
    socket = await server.connect("/ws")
    (connection,) = server.streams.hub.connections
    connection.send_text(b"x" * length)
    assert await socket.receive_str(timeout=PATIENCE_S) == "x" * length
    assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == []
