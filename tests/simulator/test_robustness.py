"""Whatever is thrown at it, the exchange answers as Binance would and never with an internal error."""

import re
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import reports
from simulator.app import ENDPOINTS
from simulator.signing import sign
from tests.simulator.support import SECRET, Server

NUMBERS = [
    "0",
    "-0",
    "NaN",
    "-Infinity",
    "1e400",
    "9" * 40,
    "0." + "1" * 30,
    "1_000",
    "\u0663",
    "0.1",
    "60000",
]
WORDS = ["TRUE", "BTCUSDT", "BTCUSDT,ETHUSDT", "BUY", "MARKET", "LIMIT", "STOP_LOSS", "GTC", "USDT", "BORROW"]
NASTY = [*NUMBERS, *WORDS, "", "\x00", "'", "%", "{}", "\u00e9" * 50]
NAMES = sorted({name for endpoint in ENDPOINTS for name in endpoint.known})
CALLS = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with Server() as running:
        running.control("POST", "limits", {"IP": 10**9, "UID": 10**9, "API": 10**9})
        yield running


def _is_binance_answer(answer: Any) -> bool:
    if answer.status_code == 200:
        return True
    told = answer.json()
    return answer.status_code in (400, 401) and set(told) == {"code", "msg"} and told["code"] < 0


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    call=st.sampled_from(CALLS),
    values=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NASTY) | st.text(max_size=12), max_size=8),
    in_body=st.booleans(),
)
def test_signed_nonsense_is_refused_politely(
    shared: Server, call: tuple[str, str], values: dict[str, str], in_body: bool
) -> None:
    text = urlencode({**values, "timestamp": int(time.time() * 1_000)}, errors="replace")
    signed = f"{text}&signature={sign(SECRET, text)}"
    method, path = call
    in_body = in_body and method != "GET"
    answer = shared.send(method, path, "" if in_body else signed, body=signed if in_body else None)
    assert _is_binance_answer(answer), (answer.status_code, answer.text)
    assert not any(reports.imbalance(shared.exchange).values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=st.sampled_from(CALLS), query=st.text(max_size=40), body=st.binary(max_size=60))
def test_unsigned_noise_is_refused_politely(
    shared: Server, call: tuple[str, str], query: str, body: bytes
) -> None:
    answer = shared.send(*call, quote(query, safe="&=%+", errors="replace"), body=body or None)
    assert _is_binance_answer(answer), (answer.status_code, answer.text)


@pytest.mark.parametrize(
    "lines",
    [
        b"GET /sapi/v1/margin/order?symbol=\xff\xfe HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: \xff\r\n\r\n",
        b"POST /sapi/v1/margin/order HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\xff\xff\xff",
        b"POST /sapi/v1/margin/order HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}",
    ],
)
def test_bytes_that_are_no_text_are_refused_politely(shared: Server, lines: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as plug:
        plug.sendall(lines)
        status = re.match(rb"HTTP/1\.[01] (\d+)", plug.recv(4_096))
    assert status is not None
    assert int(status[1]) in (400, 401)


def test_unknown_path_is_404(shared: Server) -> None:
    assert shared.signed("POST", "/sapi/v1/margin/loan").status_code == 404


def test_oversized_body_is_refused(shared: Server) -> None:
    assert shared.send("POST", "/sapi/v1/margin/order", body=b"x" * 200_000).status_code == 413
