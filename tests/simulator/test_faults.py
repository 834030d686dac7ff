"""Faults armed on purpose: what the client sees, and what really happened."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from simulator.faults import KINDS, Fault, Faults, parse
from tests.simulator.support import BTC, Server, until

ORDER_PATH = "margin/order"
ACCOUNT = "/sapi/v1/margin/isolated/account"


def _arm(server: Server, kind: str, **details: Any) -> None:
    server.control("POST", "fault", {"kind": kind, **details})


def _accepted(server: Server) -> list[dict[str, Any]]:
    orders: list[dict[str, Any]] = server.control("GET", "orders")
    return orders


@contextmanager
def _no_answer() -> Iterator[None]:
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        yield


def test_timeout_after_accept_executes_and_never_answers(server: Server) -> None:
    _arm(server, "timeout_after_accept", path=ORDER_PATH, count=1)
    server.timeout = 0.3
    with _no_answer():
        server.order("BUY", "0.1", newClientOrderId="lost")
    server.timeout = 10.0
    assert [(one["client_order_id"], one["status"]) for one in until(lambda: _accepted(server))] == [
        ("lost", "FILLED")
    ]
    found = server.signed(
        "GET", "/sapi/v1/margin/order", symbol=BTC, isIsolated="TRUE", origClientOrderId="lost"
    )
    assert found.json()["status"] == "FILLED"


def test_timeout_before_accept_executes_nothing(server: Server) -> None:
    _arm(server, "timeout_before_accept", path=ORDER_PATH, count=1, hang_ms=0)
    with _no_answer():
        server.order("BUY", "0.1")
    assert _accepted(server) == []
    assert server.order("BUY", "0.1").ok


def test_late_accept_executes_after_the_delay_without_an_answer(server: Server) -> None:
    _arm(server, "late_accept", path=ORDER_PATH, count=1, delay_ms=800, hang_ms=0)
    with _no_answer():
        server.order("BUY", "0.1", newClientOrderId="late")
    assert _accepted(server) == []
    assert until(lambda: _accepted(server))[0]["client_order_id"] == "late"


def test_late_accept_past_the_fence_never_executes(server: Server) -> None:
    _arm(server, "late_accept", path=ORDER_PATH, count=1, delay_ms=400, hang_ms=700)
    with _no_answer():
        server.order("BUY", "0.1", recvWindow=200)
    assert _accepted(server) == []


@pytest.mark.parametrize(("after", "executed"), [(False, 0), (True, 1)])
def test_http_status_with_and_without_execution(server: Server, after: bool, executed: int) -> None:
    _arm(server, "http_status", path=ORDER_PATH, count=1, status=503, after=after)
    answer = server.order("BUY", "0.1")
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (503, "text/html")
    assert len(_accepted(server)) == executed


@pytest.mark.parametrize(("after", "executed"), [(False, 0), (True, 1)])
def test_error_code_with_and_without_execution(server: Server, after: bool, executed: int) -> None:
    details = {"code": -1007, "msg": "Timeout waiting for response from backend server.", "status": 408}
    _arm(server, "error_code", path=ORDER_PATH, count=1, after=after, **details)
    answer = server.order("BUY", "0.1")
    assert (answer.status_code, answer.json()) == (408, {"code": -1007, "msg": details["msg"]})
    assert len(_accepted(server)) == executed


@pytest.mark.parametrize(("after", "executed"), [(False, 0), (True, 1)])
def test_reset_connection_breaks_off(server: Server, after: bool, executed: int) -> None:
    _arm(server, "reset_connection", path=ORDER_PATH, count=1, after=after)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        server.order("BUY", "0.1")
    assert len(_accepted(server)) == executed


def test_latency_delays_the_answer(server: Server) -> None:
    _arm(server, "latency_ms", ms=200, count=1)
    begun = time.monotonic()
    assert server.signed("GET", ACCOUNT).ok
    assert time.monotonic() - begun >= 0.2


def test_partial_fill_expires_with_the_ratio_filled(server: Server) -> None:
    _arm(server, "partial_fill", ratio=0.4, count=1, symbol=BTC)
    answer = server.order("BUY", "0.1").json()
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.04000000")
    assert server.order("BUY", "0.01").json()["status"] == "FILLED"


def test_ban_answers_418_until_it_is_lifted(server: Server) -> None:
    _arm(server, "ban", seconds=60)
    answer = server.signed("GET", ACCOUNT)
    assert (answer.status_code, answer.json()["code"]) == (418, -1003)
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert "IP banned until" in answer.json()["msg"]
    server.control("DELETE", "fault")
    assert server.signed("GET", ACCOUNT).ok


def test_ban_ends_by_itself(server: Server) -> None:
    _arm(server, "ban", seconds=1)
    assert server.signed("GET", ACCOUNT).status_code == 418
    until(lambda: server.signed("GET", ACCOUNT).ok)


def test_fault_strikes_only_where_its_conditions_agree(server: Server) -> None:
    _arm(server, "http_status", path=ORDER_PATH, method="POST", symbol="ETHUSDT", status=500)
    assert server.order("BUY", "0.1").ok
    assert server.signed("GET", ACCOUNT).ok
    assert server.order("BUY", "1", symbol="ETHUSDT").status_code == 500


def test_fault_of_one_account_leaves_the_others_alone(server: Server) -> None:
    server.control("POST", "account", {"api_key": "other", "secret": "word"})
    _arm(server, "http_status", api_key="other", status=500)
    assert server.order("BUY", "0.1").ok
    assert server.signed("GET", ACCOUNT, key="other", secret="word").status_code == 500


def test_count_is_how_often_a_fault_strikes(server: Server) -> None:
    _arm(server, "http_status", status=500, count=2)
    answers = [server.signed("GET", ACCOUNT).status_code for _ in range(3)]
    assert answers == [500, 500, 200]


def test_faults_before_and_after_execution_do_not_hide_each_other(server: Server) -> None:
    _arm(server, "http_status", path=ORDER_PATH, count=1, status=502, after=True)
    _arm(server, "http_status", path=ORDER_PATH, count=1, status=503)
    assert [server.order("BUY", "0.01").status_code for _ in range(3)] == [503, 502, 200]
    assert len(_accepted(server)) == 2


def test_public_calls_fail_too(server: Server) -> None:
    _arm(server, "http_status", path="/api/v3/time", status=502, count=1)
    assert server.send("GET", "/api/v3/time").status_code == 502


def test_armed_faults_are_listed_and_cleared_by_kind(server: Server) -> None:
    _arm(server, "latency_ms", ms=1)
    _arm(server, "mute_stream", stream="user")
    assert [one["kind"] for one in server.control("GET", "fault")] == ["latency_ms", "mute_stream"]
    assert server.control("DELETE", "fault?kind=latency_ms") == {"cleared": 1}
    assert [one["kind"] for one in server.control("GET", "fault")] == ["mute_stream"]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"kind": "earthquake"},
        {"kind": ["ban"]},
        {"kind": "ban", "ratio": 1},
        {"kind": "latency_ms"},
        {"kind": "latency_ms", "ms": "soon"},
        {"kind": "latency_ms", "ms": True},
        {"kind": "partial_fill", "ratio": 1.5},
        {"kind": "http_status", "status": 99},
        {"kind": "ban", "count": 0},
        {"kind": "ban", "count": 1.5},
    ],
)
def test_malformed_fault_is_refused_with_a_reason(server: Server, payload: dict[str, Any]) -> None:
    answer = server.session.post(f"{server.url}/sim/fault", json=payload, timeout=5)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert server.control("GET", "fault") == []


@pytest.mark.parametrize("name", ["ms", "value", "latency_ms"])
def test_milliseconds_may_be_named_in_three_ways(name: str) -> None:
    assert parse({"kind": "latency_ms", name: 200}).options == {"ms": 200}


def test_every_kind_can_be_armed() -> None:
    for kind in KINDS:
        parse({"kind": kind, **({"ms": 1} if kind.endswith("_ms") else {})})


def test_fault_without_conditions_agrees_with_anything() -> None:
    faults = Faults()
    faults.arm(Fault("mute_stream"))
    assert faults.active("mute_stream", stream="btcusdt@trade", symbol=BTC) is not None
    assert faults.active("drop_stream") is None


def test_listeners_hear_of_every_change() -> None:
    faults, heard = Faults(), []
    faults.listeners.append(lambda: heard.append(len(faults.armed)))
    faults.arm(Fault("mute_stream", count=1))
    faults.take("mute_stream")
    faults.clear()
    assert heard == [1, 0, 0]
