"""User data over the WebSocket API: tokens, envelopes, order of events, expiry, faults."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.simulator.support import BTC, KEY, SECRET, Server, until

TOKEN_PATH = "/sapi/v1/userListenToken"


class Listener:
    """A client of the WebSocket API."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def receive(self) -> Any:
        """The next message."""
        return json.loads(self.socket.recv(timeout=5))

    def call(self, method: str, params: dict[str, Any] | None = None, identity: Any = 1) -> Any:
        """A request and its answer."""
        self.socket.send(json.dumps({"id": identity, "method": method, "params": params or {}}))
        return self.receive()

    def subscribe(self, token: str) -> Any:
        """Follow the token's user data."""
        return self.call("userDataStream.subscribe.listenToken", {"listenToken": token})

    def event(self) -> Any:
        """The next event, out of its envelope."""
        return self.receive()["event"]

    def is_silent(self) -> bool:
        """Has nothing been pushed? Events come before the answer to a later request."""
        return "result" in self.call("ping", identity="probe")


@contextmanager
def _listener(server: Server) -> Iterator[Listener]:
    with connect(server.ws_api, proxy=None, compression=None) as socket:
        yield Listener(socket)


def _token(server: Server, symbol: str = BTC, **params: Any) -> dict[str, Any]:
    answer = server.signed("POST", TOKEN_PATH, symbol=symbol, isIsolated="true", **params)
    assert answer.ok, answer.text
    token: dict[str, Any] = answer.json()
    return token


def test_token_lasts_24_hours_unless_asked_otherwise(server: Server) -> None:
    now = time.time() * 1_000
    assert abs(_token(server)["expirationTime"] - now - 86_400_000) < 5_000
    assert abs(_token(server, validity=60_000)["expirationTime"] - now - 60_000) < 5_000


def test_token_needs_a_key_but_no_signature(server: Server) -> None:
    body = "symbol=BTCUSDT&isIsolated=true"
    assert "token" in server.send("POST", TOKEN_PATH, body=body).json()
    assert server.send("POST", TOKEN_PATH, body=body, key="nobody").status_code == 401


def test_events_of_an_order_come_in_order(server: Server) -> None:
    with _listener(server) as listener:
        answer = listener.subscribe(_token(server)["token"])
        assert (answer["status"], answer["result"]["subscriptionId"]) == (200, 0)
        placed = server.order("BUY", "0.1", newClientOrderId="mine").json()
        first, second, third = (listener.receive() for _ in range(3))
    assert [one["subscriptionId"] for one in (first, second, third)] == [0, 0, 0]
    new, trade, balances = first["event"], second["event"], third["event"]
    assert (new["e"], new["x"], new["X"], new["c"]) == ("executionReport", "NEW", "NEW", "mine")
    assert (trade["x"], trade["X"], trade["z"], trade["L"]) == (
        "TRADE",
        "FILLED",
        "0.10000000",
        "60000.01000000",
    )
    assert (trade["i"], trade["n"], trade["N"]) == (placed["orderId"], "0.00010000", "BTC")
    assert trade["t"] == placed["fills"][0]["tradeId"]
    assert balances["e"] == "outboundAccountPosition"
    assert {one["a"]: one["f"] for one in balances["B"]} == {"BTC": "0.09990000", "USDT": "3999.99900000"}


def test_cancel_event_names_both_client_ids(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        server.order("BUY", "0.1", type="LIMIT", price="50000", timeInForce="GTC", newClientOrderId="rest")
        assert [listener.event()["e"] for _ in range(2)] == ["executionReport", "outboundAccountPosition"]
        path = "/sapi/v1/margin/order"
        params = {
            "symbol": BTC,
            "isIsolated": "TRUE",
            "origClientOrderId": "rest",
            "newClientOrderId": "gone",
        }
        server.signed("DELETE", path, **params)
        event = listener.event()
    assert (event["x"], event["X"], event["c"], event["C"]) == ("CANCELED", "CANCELED", "gone", "rest")


def test_stop_that_triggers_is_reported(server: Server) -> None:
    server.order("BUY", "0.1")
    server.order("SELL", "0.0999", type="STOP_LOSS", stopPrice="58000")
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        server.control("POST", "price", {"symbol": BTC, "price": "57990"})
        event = listener.event()
    assert (event["x"], event["o"], event["L"]) == ("TRADE", "STOP_LOSS", "57990.00000000")


def test_partial_fill_ends_with_an_expired_report(server: Server) -> None:
    server.control("POST", "fault", {"kind": "partial_fill", "ratio": "0.5", "count": 1})
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        server.order("BUY", "0.1")
        kinds = [listener.event().get("x") for _ in range(4)]
    assert kinds == ["NEW", "TRADE", "EXPIRED", None]


def test_what_the_owner_does_by_hand_is_reported_too(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        wish = {"api_key": KEY, "venue": "isolated_margin", "symbol": BTC, "side": "SELL", "quantity": "0.1"}
        server.control("POST", "trade", wish)
        assert (listener.event()["S"], listener.event()["X"]) == ("SELL", "FILLED")


def test_token_covers_its_own_pair_only(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server, "ETHUSDT")["token"])
        server.order("BUY", "0.1")
        assert listener.is_silent()


def test_several_pairs_on_one_connection(server: Server) -> None:
    with _listener(server) as listener:
        numbers = [
            listener.subscribe(_token(server, symbol)["token"])["result"]["subscriptionId"]
            for symbol in (BTC, "ETHUSDT")
        ]
        server.order("BUY", "1", symbol="ETHUSDT")
        assert (numbers, listener.receive()["subscriptionId"]) == ([0, 1], 1)


def test_fresh_token_extends_the_same_subscription(server: Server) -> None:
    with _listener(server) as listener:
        first = listener.subscribe(_token(server, validity=10_000)["token"])["result"]
        second = listener.subscribe(_token(server)["token"])["result"]
        assert first["subscriptionId"] == second["subscriptionId"]
        assert second["expirationTime"] > first["expirationTime"]


def test_expiry_ends_the_stream_with_an_event(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server, validity=500)["token"])
        assert listener.event()["e"] == "eventStreamTerminated"
        server.order("BUY", "0.1")
        assert listener.is_silent()


def test_unknown_token_is_minus_1209(server: Server) -> None:
    with _listener(server) as listener:
        answer = listener.subscribe("nonsense")
    assert (answer["status"], answer["error"]["code"]) == (400, -1209)


def test_unsubscribed_stream_is_silent(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        assert listener.call("userDataStream.unsubscribe", {"subscriptionId": 0})["result"] == {}
        server.order("BUY", "0.1")
        assert listener.is_silent()


def test_signature_subscription_is_acknowledged_and_checked(server: Server) -> None:
    params: dict[str, Any] = {"apiKey": KEY, "timestamp": int(time.time() * 1_000)}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    good = {**params, "signature": hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()}
    with _listener(server) as listener:
        method = "userDataStream.subscribe.signature"
        assert listener.call(method, good)["result"] == {"subscriptionId": 0}
        assert listener.call(method, {**good, "signature": "0" * 64})["error"]["code"] == -1022
        assert listener.call(method, {"apiKey": "nobody"})["status"] == 401


def test_ping_and_time(server: Server) -> None:
    with _listener(server) as listener:
        ping = listener.call("ping", identity="abc")
        assert (ping["id"], ping["status"], ping["result"]) == ("abc", 200, {})
        assert ping["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        assert abs(listener.call("time")["result"]["serverTime"] - time.time() * 1_000) < 5_000


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "{}", '{"id":{}}', '{"id":1,"method":"fly"}', "[" * 5_000]
)
def test_malformed_request_is_answered_with_an_error(server: Server, text: str) -> None:
    with _listener(server) as listener:
        listener.socket.send(text)
        assert listener.receive()["status"] == 400
        assert listener.call("ping")["status"] == 200


def test_muted_stream_stays_connected_and_says_nothing(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        server.control("POST", "fault", {"kind": "mute_stream", "stream": "user"})
        server.order("BUY", "0.01")
        assert listener.is_silent()
        server.control("DELETE", "fault")
        server.order("BUY", "0.01")
        assert listener.event()["x"] == "NEW"


def test_dropped_stream_breaks_off_and_can_be_opened_again(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        server.control("POST", "fault", {"kind": "drop_stream", "stream": "user", "count": 1})
        with pytest.raises(ConnectionClosed):
            listener.receive()
    with _listener(server) as listener:
        assert listener.subscribe(_token(server)["token"])["status"] == 200


def test_subscription_survives_a_reset_of_the_exchange(server: Server) -> None:
    with _listener(server) as listener:
        listener.subscribe(_token(server)["token"])
        server.control("POST", "reset")
        server.order("BUY", "0.1")
        assert listener.event()["x"] == "NEW"


def test_closed_connections_are_forgotten_and_later_ones_served(server: Server) -> None:
    sinks = server.exchange.announcer.sinks
    for _ in range(2):
        with _listener(server) as listener:
            listener.subscribe(_token(server)["token"])
            server.order("BUY", "0.01")
            assert listener.event()["x"] == "NEW"
        until(lambda: not sinks)


def test_one_listener_leaving_does_not_silence_another(server: Server) -> None:
    with _listener(server) as staying:
        staying.subscribe(_token(server)["token"])
        with _listener(server) as leaving:
            leaving.subscribe(_token(server)["token"])
        server.order("BUY", "0.01")
        assert staying.event()["x"] == "NEW"
