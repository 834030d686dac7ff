"""Rate limits: headers, 429 with Retry-After, 418 for whoever goes on."""

import pytest

from simulator.errors import BinanceError
from simulator.weights import PATIENCE, Cost, Weights, api_cost
from tests.simulator.support import BTC, Server

MINUTE_MS = 60_000
COST = Cost(10, "IP", "GET somewhere")
ACCOUNT = "/sapi/v1/margin/isolated/account"


def test_each_sapi_endpoint_has_a_budget_of_its_own(server: Server) -> None:
    first = server.signed("GET", ACCOUNT)
    second = server.signed("GET", ACCOUNT)
    other = server.signed("GET", "/sapi/v1/margin/openOrders", symbol=BTC, isIsolated="TRUE")
    used = [answer.headers["X-SAPI-USED-IP-WEIGHT-1M"] for answer in (first, second, other)]
    assert used == ["10", "20", "10"]


def test_orders_weigh_on_the_account_and_borrowing_ones_heavily(server: Server) -> None:
    plain = server.order("BUY", "0.01")
    borrowing = server.order("BUY", "0.01", sideEffectType="MARGIN_BUY")
    assert plain.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "6"
    assert borrowing.headers["X-SAPI-USED-UID-WEIGHT-1M"] == "1506"


def test_public_calls_share_one_budget(server: Server) -> None:
    first = int(server.send("GET", "/api/v3/time").headers["X-MBX-USED-WEIGHT-1M"])
    second = int(server.send("GET", "/api/v3/ticker/price").headers["X-MBX-USED-WEIGHT-1M"])
    assert (first, second) == (1, 5)


def test_over_the_limit_is_429_with_retry_after(server: Server) -> None:
    server.control("POST", "limits", {"IP": 25})
    answers = [server.signed("GET", ACCOUNT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == -1003
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60


def test_order_over_the_limit_is_not_executed(server: Server) -> None:
    server.control("POST", "limits", {"UID": 10})
    assert server.order("BUY", "0.01").ok
    assert server.order("BUY", "0.01").status_code == 429
    assert len(server.control("GET", "orders")) == 1


def test_budget_is_fresh_every_minute() -> None:
    weights = Weights()
    weights.limits["IP"] = 10
    assert weights.charge(COST, "ip", "ip", now_ms=0) == 10
    with pytest.raises(BinanceError) as caught:
        weights.charge(COST, "ip", "ip", now_ms=59_000)
    assert (caught.value.status, caught.value.retry_after) == (429, 2)
    assert weights.charge(COST, "ip", "ip", now_ms=MINUTE_MS) == 10


def test_going_on_after_429_leads_to_a_ban_that_doubles() -> None:
    weights = Weights()
    weights.limits["IP"] = 0
    seconds = []
    for start in (0, 10 * MINUTE_MS):
        for _ in range(PATIENCE):
            with pytest.raises(BinanceError) as caught:
                weights.charge(COST, "ip", "ip", now_ms=start)
            assert caught.value.status == 429
        with pytest.raises(BinanceError) as caught:
            weights.charge(COST, "ip", "ip", now_ms=start)
        assert (caught.value.status, caught.value.code) == (418, -1003)
        seconds.append(caught.value.retry_after)
    assert seconds == [121, 241]
    weights.check_ban("another", 10 * MINUTE_MS)
    with pytest.raises(BinanceError):
        weights.check_ban("ip", 10 * MINUTE_MS + 239_000)
    weights.check_ban("ip", 10 * MINUTE_MS + 240_000)


@pytest.mark.parametrize(
    ("path", "query", "weight"),
    [
        ("ping", {}, 1),
        ("klines", {"symbol": BTC}, 2),
        ("ticker/price", {}, 4),
        ("ticker/price", {"symbol": BTC}, 2),
        ("ticker/24hr", {}, 80),
        ("depth", {"limit": "100"}, 5),
        ("depth", {"limit": "5000"}, 250),
        ("depth", {"limit": "many"}, 5),
    ],
)
def test_weights_of_public_calls(path: str, query: dict[str, str], weight: int) -> None:
    assert api_cost(f"/api/v3/{path}", query) == Cost(weight, "API")
