"""Who gets in: keys, signatures over the raw bytes, timestamps and recvWindow."""

import time
from typing import Any
from urllib.parse import quote

import pytest
import requests

from simulator.signing import sign as signature
from tests.simulator.support import KEY, SECRET, Server, sign

ACCOUNT = "/sapi/v1/margin/isolated/account"
ORDER = "/sapi/v1/margin/order"


def _now() -> int:
    return int(time.time() * 1_000)


def _code(answer: requests.Response) -> tuple[int, int]:
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.status_code, answer.json()["code"]


def test_signed_call_is_answered(server: Server) -> None:
    answer = server.signed("GET", ACCOUNT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json; charset=UTF-8")


def test_parameters_may_come_in_the_body(server: Server) -> None:
    body = sign(
        {
            "symbol": "BTCUSDT",
            "isIsolated": "TRUE",
            "side": "BUY",
            "type": "MARKET",
            "quantity": "0.1",
            "timestamp": _now(),
        }
    )
    assert server.send("POST", ORDER, body=body).json()["status"] == "FILLED"


def test_parameters_may_be_split_between_query_and_body(server: Server) -> None:
    query = f"symbol=BTCUSDT&isIsolated=TRUE&side=BUY&timestamp={_now()}"
    body = "type=MARKET&quantity=0.1"
    signed = f"{body}&signature={signature(SECRET, query + body)}"
    assert server.send("POST", ORDER, query, body=signed).json()["status"] == "FILLED"


def test_signature_may_stand_in_the_query_while_the_body_carries_the_rest(server: Server) -> None:
    query = f"symbol=BTCUSDT&isIsolated=TRUE&side=BUY&timestamp={_now()}"
    body = "type=MARKET&quantity=0.1"
    given = signature(SECRET, query + body)
    assert server.send("POST", ORDER, f"{query}&signature={given}", body=body).json()["status"] == "FILLED"


def test_query_wins_over_the_body_where_both_name_a_parameter(server: Server) -> None:
    query = f"symbol=BTCUSDT&isIsolated=TRUE&side=BUY&type=MARKET&quantity=0.1&timestamp={_now()}"
    body = "quantity=0.2"
    given = signature(SECRET, query + body)
    answer = server.send("POST", ORDER, query, body=f"{body}&signature={given}").json()
    assert answer["executedQty"] == "0.10000000"


def test_signature_may_stand_anywhere_and_in_upper_case(server: Server) -> None:
    stamp = f"timestamp={_now()}"
    given = signature(SECRET, f"symbols=BTCUSDT&{stamp}").upper()
    for query in (f"signature={given}&symbols=BTCUSDT&{stamp}", f"symbols=BTCUSDT&signature={given}&{stamp}"):
        assert server.send("GET", ACCOUNT, query).status_code == 200


def test_signature_covers_the_bytes_as_sent_not_as_decoded(server: Server) -> None:
    stamp = f"timestamp={_now()}"
    encoded = f"symbols={quote('BTCUSDT,ETHUSDT', safe='')}&{stamp}"
    assert "%2C" in encoded
    good = server.send("GET", ACCOUNT, f"{encoded}&signature={signature(SECRET, encoded)}")
    plain = signature(SECRET, f"symbols=BTCUSDT,ETHUSDT&{stamp}")
    bad = server.send("GET", ACCOUNT, f"{encoded}&signature={plain}")
    assert (good.status_code, _code(bad)) == (200, (400, -1022))


def test_wrong_secret_is_minus_1022(server: Server) -> None:
    answer = server.signed("GET", ACCOUNT, secret="wrong")
    assert _code(answer) == (400, -1022)
    assert answer.json()["msg"] == "Signature for this request is not valid."


def test_unknown_key_is_401_with_minus_2015(server: Server) -> None:
    answer = server.signed("GET", ACCOUNT, key="nobody")
    assert _code(answer) == (401, -2015)
    assert answer.json()["msg"] == "Invalid API-key, IP, or permissions for action."


def test_missing_key_is_minus_2014(server: Server) -> None:
    assert _code(server.send("GET", ACCOUNT, sign({"timestamp": _now()}), key=None)) == (401, -2014)


def test_key_without_permission_to_trade_is_refused_orders_only(server: Server) -> None:
    server.control("POST", "account", {"api_key": KEY, "secret": SECRET, "can_trade": False})
    assert _code(server.order("BUY", "0.1")) == (401, -2015)
    assert server.signed("GET", ACCOUNT).status_code == 200
    restrictions = server.signed("GET", "/sapi/v1/account/apiRestrictions").json()
    assert (restrictions["enableSpotAndMarginTrading"], restrictions["enableWithdrawals"]) == (False, False)


@pytest.mark.parametrize("missing", ["timestamp", "signature"])
def test_missing_part_of_the_signature_is_minus_1102(server: Server, missing: str) -> None:
    query = sign({"timestamp": _now()}) if missing == "timestamp" else f"timestamp={_now()}"
    if missing == "timestamp":
        query = f"signature={signature(SECRET, '')}"
    answer = server.send("GET", ACCOUNT, query)
    assert _code(answer) == (400, -1102)
    assert f"'{missing}'" in answer.json()["msg"]


@pytest.mark.parametrize(
    ("offset_ms", "window", "code"),
    [
        (-3_000, None, None),
        (-6_000, None, -1021),
        (-6_000, 10_000, None),
        (-500, 100, -1021),
        (900, None, None),
        (3_000, None, -1021),
        (0, 60_000, None),
        (0, 60_001, -1131),
    ],
)
def test_freshness(server: Server, offset_ms: int, window: int | None, code: int | None) -> None:
    params: dict[str, Any] = {"timestamp": _now() + offset_ms}
    if window is not None:
        params["recvWindow"] = window
    answer = server.signed("GET", ACCOUNT, **params)
    assert (answer.json().get("code"), answer.ok) == (code, code is None)


def test_clock_texts_are_those_of_the_exchange(server: Server) -> None:
    late = server.signed("GET", ACCOUNT, timestamp=_now() - 6_000).json()["msg"]
    early = server.signed("GET", ACCOUNT, timestamp=_now() + 5_000).json()["msg"]
    assert late == "Timestamp for this request is outside of the recvWindow."
    assert early == "Timestamp for this request was 1000ms ahead of the server's time."


def test_microsecond_timestamps_are_understood(server: Server) -> None:
    assert server.signed("GET", ACCOUNT, timestamp=_now() * 1_000).ok


def test_skewed_exchange_refuses_until_the_client_follows_its_clock(server: Server) -> None:
    server.control("POST", "fault", {"kind": "clock_skew_ms", "ms": 30_000})
    assert _code(server.signed("GET", ACCOUNT)) == (400, -1021)
    theirs = server.send("GET", "/api/v3/time").json()["serverTime"]
    assert server.signed("GET", ACCOUNT, timestamp=theirs).ok
    server.control("DELETE", "fault")
    assert server.signed("GET", ACCOUNT).ok
