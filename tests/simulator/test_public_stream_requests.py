"""What may be said on a market stream, and the exchange's answers."""

import json
from typing import Any

import aiohttp
import pytest

from simulator.streams.requests import MAX_STREAMS
from tests.simulator.market.support import PATIENCE_S, Server, ask, receive, serving, until


@pytest.fixture
async def server() -> Any:
    async with serving() as running:
        yield running


async def closed_with(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code of the close frame; messages before it are skipped."""
    while not socket.closed:
        await socket.receive(timeout=PATIENCE_S)
    return socket.close_code


async def test_subscriptions_are_acknowledged_listed_and_ended(server: Server) -> None:
    socket = await server.connect("/ws")
    assert await ask(socket, "SUBSCRIBE", "btcusdt@trade", "ethusdt@depth5") == {"result": None, "id": 1}
    assert await ask(socket, "LIST_SUBSCRIPTIONS", id=2) == {
        "result": ["btcusdt@trade", "ethusdt@depth5"],
        "id": 2,
    }
    assert await ask(socket, "UNSUBSCRIBE", "ethusdt@depth5", "never@heard", id=3) == {
        "result": None,
        "id": 3,
    }
    assert await ask(socket, "LIST_SUBSCRIPTIONS", id=4) == {"result": ["btcusdt@trade"], "id": 4}


async def test_streams_of_the_address_are_subscribed_at_once(server: Server) -> None:
    raw = await server.connect("/ws/btcusdt@trade/ethusdt@trade")
    combined = await server.connect("/stream?streams=btcusdt@trade/ethusdt@trade")
    expected = ["btcusdt@trade", "ethusdt@trade"]
    assert (await ask(raw, "LIST_SUBSCRIPTIONS"))["result"] == expected
    assert (await ask(combined, "LIST_SUBSCRIPTIONS"))["result"] == expected


@pytest.mark.parametrize("id", [0, -5, 2**63 - 1, "abc-123", None])
async def test_id_comes_back_as_it_was_sent(server: Server, id: int | str | None) -> None:
    socket = await server.connect("/ws")
    assert await ask(socket, "LIST_SUBSCRIPTIONS", id=id) == {"result": [], "id": id}


async def test_stream_that_does_not_exist_is_acknowledged_all_the_same(server: Server) -> None:
    socket = await server.connect("/ws")
    assert (await ask(socket, "SUBSCRIBE", "btcusdt@nosuchstream", "BTCUSDT@trade"))["result"] is None


async def test_malformed_stream_is_refused_and_the_connection_closed(server: Server) -> None:
    socket = await server.connect("/ws")
    answer = await ask(socket, "SUBSCRIBE", "not a stream", id=7)
    assert answer == {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": 7}
    assert await closed_with(socket) == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_combined_is_a_property_that_can_be_read_and_set(server: Server) -> None:
    socket = await server.connect("/ws/btcusdt@trade")
    assert await ask(socket, "GET_PROPERTY", "combined") == {"result": False, "id": 1}
    assert await ask(socket, "SET_PROPERTY", "combined", True) == {"result": None, "id": 1}
    assert await ask(socket, "GET_PROPERTY", "combined") == {"result": True, "id": 1}
    server.board.print_trade("BTCUSDT", server.board.catalog["BTCUSDT"].reference_price)
    assert (await receive(socket))["stream"] == "btcusdt@trade"


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("{", 3, "Invalid JSON: expected value at line 1 column 1"),
        ("\ud800 no utf-8".encode("utf-16", "surrogatepass").decode("latin-1"), 3, "Invalid JSON"),
        ("[]", 2, "Invalid request"),
        ("5", 2, "Invalid request"),
        ('{"id": 1}', 2, "Invalid request: missing field `method` at line 1 column 9"),
        (
            '{"method": "SING", "id": 1}',
            2,
            "Invalid request: unknown variant `SING`, expected one of `SUBSCRIBE`",
        ),
        ('{"method": ["SUBSCRIBE"], "id": 1}', 2, "Invalid request: unknown variant"),
        ('{"method": "LIST_SUBSCRIPTIONS", "id": 1.5}', 2, "request ID must be an unsigned integer"),
        ('{"method": "LIST_SUBSCRIPTIONS", "id": true}', 2, "request ID must be an unsigned integer"),
        ('{"method": "LIST_SUBSCRIPTIONS", "id": {}}', 2, "request ID must be an unsigned integer"),
        ('{"method": "LIST_SUBSCRIPTIONS", "params": ["a"]}', 2, "Invalid request: too many parameters"),
        ('{"method": "SUBSCRIBE", "id": 1}', 2, "Invalid request"),
        ('{"method": "SUBSCRIBE", "params": "btcusdt@trade"}', 2, "Invalid request"),
        ('{"method": "SUBSCRIBE", "params": [5]}', 2, "Invalid request"),
        ('{"method": "GET_PROPERTY", "params": []}', 2, "property name must be a string"),
        ('{"method": "GET_PROPERTY", "params": ["colour"]}', 0, "Unknown property"),
        ('{"method": "GET_PROPERTY", "params": ["combined", 1]}', 2, "too many parameters"),
        ('{"method": "SET_PROPERTY", "params": ["combined", 1]}', 1, "Invalid value type: expected Boolean"),
        ('{"method": "SET_PROPERTY", "params": ["combined"]}', 1, "Invalid value type: expected Boolean"),
    ],
)
async def test_message_that_makes_no_sense_is_refused_and_the_connection_lives(
    server: Server, message: str, code: int, text: str
) -> None:
    socket = await server.connect("/ws")
    await socket.send_str(message)
    error = (await receive(socket))["error"]
    assert error["code"] == code
    assert text in error["msg"]
    assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == []


async def test_binary_message_is_refused(server: Server) -> None:
    socket = await server.connect("/ws")
    await socket.send_bytes(b'{"method":"LIST_SUBSCRIPTIONS","id":1}')
    assert (await receive(socket))["error"]["code"] == 3


async def test_sixth_message_within_a_second_ends_the_connection(server: Server) -> None:
    socket = await server.connect("/ws")
    for _ in range(6):
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    assert await closed_with(socket) == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_pings_count_as_messages_and_are_answered(server: Server) -> None:
    socket = await server.connect("/ws", autoping=False)
    await socket.ping(b"hello")
    pong = await socket.receive(timeout=PATIENCE_S)
    assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"hello")
    for _ in range(5):
        await socket.ping()
    assert await closed_with(socket) == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_one_stream_over_the_limit_is_refused(server: Server) -> None:
    socket = await server.connect("/ws")
    names = [f"syn{n}usdt@trade" for n in range(MAX_STREAMS)]
    assert (await ask(socket, "SUBSCRIBE", *names))["result"] is None
    assert (await ask(socket, "SUBSCRIBE", names[0]))["result"] is None
    assert "too many streams" in (await ask(socket, "SUBSCRIBE", "another@trade"))["error"]["msg"]
    assert await closed_with(socket) == aiohttp.WSCloseCode.POLICY_VIOLATION


@pytest.mark.parametrize("path", ["/ws/not%20a%20stream", "/stream?streams=a@b@c@d@e@f"])
async def test_address_with_a_malformed_stream_is_no_websocket(server: Server, path: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await server.http.ws_connect(server.address + path)
    assert refused.value.status == 400


async def test_message_beyond_any_sensible_size_ends_only_its_own_connection(server: Server) -> None:
    calm, loud = await server.connect("/ws"), await server.connect("/ws")
    await loud.send_str(json.dumps({"method": "SUBSCRIBE", "params": ["x" * 100_000]}))
    assert await closed_with(loud) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    await until(lambda: len(server.streams.hub.connections) == 1)
    assert (await ask(calm, "LIST_SUBSCRIPTIONS"))["result"] == []


async def test_nothing_is_remembered_of_a_client_that_left(server: Server) -> None:
    socket = await server.connect("/ws/btcusdt@trade")
    await socket.close()
    await until(lambda: not server.streams.hub.connections)
    assert server.streams.hub.subscribers == {}
