"""The control API: prices, trades by hand, accounts, reports, resets."""

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.support import BTC, KEY, SECRET, Server

ACCOUNT = "/sapi/v1/margin/isolated/account"


def _pair(server: Server, symbol: str = BTC) -> dict[str, Any]:
    accounts = server.control("GET", "ledger")["accounts"]
    pair: dict[str, Any] = next(one for one in accounts[0]["pairs"] if one["symbol"] == symbol)
    return pair


def _hand(server: Server, side: str, quantity: str, **wish: Any) -> Any:
    base = {"api_key": KEY, "venue": "isolated_margin", "symbol": BTC}
    return server.control("POST", "trade", {**base, "side": side, "quantity": quantity, **wish})


def test_health(server: Server) -> None:
    assert server.control("GET", "health")["status"] == "ok"


def test_price_is_what_everybody_sees_next(server: Server) -> None:
    printed = server.control("POST", "price", {"symbol": BTC, "price": "61234.56"})
    assert printed["price"] == "61234.56"
    answer = server.send("GET", "/api/v3/ticker/price", f"symbol={BTC}").json()
    assert Decimal(answer["price"]) == Decimal("61234.56")


def test_prices_and_orders_carry_times_of_one_clock(server: Server) -> None:
    before = time.monotonic_ns()
    server.control("POST", "price", {"symbol": BTC, "price": "61000"})
    server.order("BUY", "0.1")
    printed = server.control("GET", f"prices?symbol={BTC}&limit=1")[-1]["published_ns"]
    order = server.control("GET", "orders")[0]
    assert before < printed < order["received_ns"] < time.monotonic_ns()
    assert abs(order["received_wall_ns"] - time.time_ns()) < 60 * 10**9
    assert abs(order["time_ms"] - time.time() * 1_000) < 60_000


def test_owner_opens_a_borrowed_long_and_closes_it(server: Server) -> None:
    order = _hand(server, "BUY", "0.3")
    assert (order["by_hand"], order["side_effect"], order["status"]) == (True, "MARGIN_BUY", "FILLED")
    assert (_pair(server)["position"], _pair(server)["side"]) == ("0.29970000", "long")
    order = _hand(server, "SELL", "all")
    assert (order["side_effect"], order["executed"]) == ("AUTO_REPAY", "0.29970000")
    assert _pair(server)["side"] == "flat"
    assert _pair(server)["quote"]["borrowed"] == "0.00000000"


def test_owner_opens_a_short_and_closes_it(server: Server) -> None:
    _hand(server, "SELL", "0.2")
    assert (_pair(server)["position"], _pair(server)["side"]) == ("-0.20000000", "short")
    _hand(server, "BUY", "all")
    assert (_pair(server)["side"], _pair(server)["base"]["borrowed"]) == ("flat", "0.00000000")
    assert server.control("GET", "ledger")["violations"] == []


def test_owner_rests_a_stop_of_his_own(server: Server) -> None:
    _hand(server, "BUY", "0.1")
    stop = _hand(
        server,
        "SELL",
        "0.0999",
        type="STOP_LOSS_LIMIT",
        stop_price="58000",
        price="57900",
        time_in_force="GTC",
    )
    assert (stop["status"], _pair(server)["base"]["locked"]) == ("NEW", "0.09990000")


def test_venue_and_key_may_be_left_out(server: Server) -> None:
    order = server.control("POST", "trade", {"symbol": BTC, "side": "BUY", "quantity": 0.1})
    assert (order["api_key"], order["quantity"]) == (KEY, "0.10000000")


def test_account_with_balances_of_its_own(server: Server) -> None:
    body = {"api_key": "rich", "secret": "word", "balances": {BTC: {"USDT": "500000", "BTC": "2.5"}}}
    server.control("POST", "account", body)
    entry = server.signed("GET", ACCOUNT, key="rich", secret="word", symbols=BTC).json()["assets"][0]
    assert entry["quoteAsset"]["free"] == "500000.00000000"
    assert (entry["baseAsset"]["free"], entry["baseAsset"]["netAsset"]) == ("2.50000000", "2.50000000")


def test_balances_of_an_existing_account_change(server: Server) -> None:
    server.control("POST", "account", {"api_key": KEY, "secret": SECRET, "balances": {BTC: {"USDT": 7}}})
    assert _pair(server)["quote"]["free"] == "7.00000000"
    assert server.control("GET", "ledger")["imbalance"] == {}


def test_account_with_impossible_balances_is_not_opened(server: Server) -> None:
    body = {"api_key": "poor", "secret": "word", "balances": {BTC: {"USDT": "1", "ETH": "1"}}}
    assert server.session.post(f"{server.url}/sim/account", json=body, timeout=5).status_code == 400
    assert [one["api_key"] for one in server.control("GET", "ledger")["accounts"]] == [KEY]


def test_orders_can_be_narrowed_down(server: Server) -> None:
    server.order("BUY", "0.1")
    server.order("BUY", "1", symbol="ETHUSDT")
    assert [one["symbol"] for one in server.control("GET", "orders?symbol=ETHUSDT")] == ["ETHUSDT"]
    assert server.control("GET", "orders?api_key=nobody") == []
    told = server.control("GET", f"orders?symbol={BTC}")[0]
    assert told["fills"][0]["price"] == "60000.01000000"


def test_refused_orders_are_on_record(server: Server) -> None:
    server.order("SELL", "1", newClientOrderId="nothing-there")
    refusals = server.control("GET", "ledger")["refusals"]
    assert [(one["client_order_id"], one["code"]) for one in refusals] == [("nothing-there", -2010)]


def test_reset_is_a_fresh_exchange_with_the_same_keys(server: Server) -> None:
    server.control("POST", "price", {"symbol": BTC, "price": "70000"})
    server.order("BUY", "0.3", sideEffectType="MARGIN_BUY")
    server.control("POST", "fault", {"kind": "latency_ms", "ms": 1})
    server.control("POST", "fault", {"kind": "clock_skew_ms", "ms": 90_000})
    server.control("POST", "reset")
    assert server.control("GET", "orders") == []
    assert server.control("GET", "fault") == []
    assert _pair(server)["quote"]["free"] == "10000.00000000"
    assert server.order("BUY", "0.1").json()["fills"][0]["price"] == "60000.01000000"


def test_an_account_that_was_opened_later_is_gone_after_a_reset(server: Server) -> None:
    server.control("POST", "account", {"api_key": "later", "secret": "word"})
    server.control("POST", "reset")
    assert list(server.exchange.accounts) == [KEY]


def test_thin_book(server: Server) -> None:
    server.control("POST", "depth", {"symbol": BTC, "levels": 2, "quantity": "0.03"})
    answer = server.order("BUY", "0.1").json()
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.06000000")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("price", {}),
        ("price", {"symbol": BTC}),
        ("price", {"symbol": "NOSUCH", "price": "1"}),
        ("price", {"symbol": BTC, "price": "abc"}),
        ("price", {"symbol": BTC, "price": "NaN"}),
        ("price", {"symbol": BTC, "price": "-5"}),
        ("price", {"symbol": BTC, "price": 0}),
        ("price", {"symbol": BTC, "price": True}),
        ("price", {"symbol": BTC, "price": None}),
        ("price", {"symbol": BTC, "price": [1]}),
        ("price", {"symbol": BTC, "price": "1e400"}),
        ("price", {"symbol": BTC, "price": "1", "quantity": "0"}),
        ("price", [1, 2]),
        ("trade", {"symbol": BTC, "side": "BUY", "quantity": "1", "venue": "moon"}),
        ("trade", {"symbol": BTC, "side": "BUY", "quantity": "1", "api_key": "nobody"}),
        ("trade", {"symbol": BTC, "side": "BUY", "quantity": "-1"}),
        ("trade", {"symbol": BTC, "side": "UP", "quantity": "1"}),
        ("trade", {"symbol": BTC, "side": "SELL", "quantity": "all"}),
        ("trade", {"symbol": BTC, "side": "BUY", "quantity": "1000"}),
        ("trade", {"symbol": BTC, "side": "BUY", "quantity": "1", "colour": "red"}),
        ("trade", {"symbol": ["x"], "side": "BUY", "quantity": "1"}),
        ("account", {"api_key": "", "secret": "x"}),
        ("account", {"api_key": "a", "secret": 5}),
        ("account", {"api_key": "a", "secret": "b", "balances": [1]}),
        ("account", {"api_key": "a", "secret": "b", "balances": {BTC: {"USDT": "-1"}}}),
        ("account", {"api_key": "a", "secret": "b", "balances": {BTC: {"ETH": "1"}}}),
        ("account", {"api_key": "a", "secret": "b", "balances": {"NOSUCH": {"USDT": "1"}}}),
        ("depth", {"symbol": "NOSUCH"}),
        ("depth", {"symbol": BTC, "levels": "many"}),
        ("limits", {"IP": -1}),
    ],
)
def test_bad_input_is_400_with_a_reason(server: Server, name: str, body: Any) -> None:
    answer = server.session.post(f"{server.url}/sim/{name}", json=body, timeout=5)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True), answer.text


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 30_000, b'{"symbol": NaN}'])
def test_bad_json_is_400(server: Server, body: bytes) -> None:
    answer = server.session.post(f"{server.url}/sim/price", data=body, timeout=5)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
