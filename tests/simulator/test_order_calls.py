"""Orders over REST: forms of answers, parameters, look-ups, lists and cancels."""

import time
from typing import Any

import pytest

from tests.simulator.support import BTC, Server

ORDER = "/sapi/v1/margin/order"
PAIR = {"symbol": BTC, "isIsolated": "TRUE"}
DAY_MS = 86_400_000


def _get(server: Server, name: str, **params: Any) -> Any:
    return server.signed("GET", f"/sapi/v1/margin/{name}", **{**PAIR, **params}).json()


def test_full_answer_has_exactly_the_fields_of_the_exchange(server: Server) -> None:
    answer = server.order("BUY", "0.3", sideEffectType="MARGIN_BUY", newClientOrderId="mine").json()
    assert set(answer) == {
        "symbol", "orderId", "clientOrderId", "isIsolated", "transactTime", "price", "origQty", "executedQty",
        "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "selfTradePreventionMode",
        "marginBuyBorrowAmount", "marginBuyBorrowAsset", "fills",
    }  # fmt: skip
    assert set(answer["fills"][0]) == {"price", "qty", "commission", "commissionAsset", "tradeId"}
    assert (answer["clientOrderId"], answer["isIsolated"]) == ("mine", True)
    assert (answer["executedQty"], answer["marginBuyBorrowAsset"]) == ("0.30000000", "USDT")


def test_answer_without_a_loan_says_nothing_of_borrowing(server: Server) -> None:
    assert "marginBuyBorrowAmount" not in server.order("BUY", "0.1").json()


@pytest.mark.parametrize(
    ("kind", "status", "fills"), [("ACK", False, False), ("RESULT", True, False), ("FULL", True, True)]
)
def test_answer_comes_in_the_form_asked_for(server: Server, kind: str, status: bool, fills: bool) -> None:
    answer = server.order("BUY", "0.1", newOrderRespType=kind).json()
    assert ("status" in answer, "fills" in answer, "orderId" in answer) == (status, fills, True)


def test_stop_orders_answer_ack_by_default(server: Server) -> None:
    server.order("BUY", "0.1")
    answer = server.order("SELL", "0.05", type="STOP_LOSS", stopPrice="58000").json()
    assert set(answer) == {"symbol", "orderId", "clientOrderId", "isIsolated", "transactTime"}


@pytest.mark.parametrize("given", ["TRUE", "true", "True"])
def test_isolated_flag_in_any_case(server: Server, given: str) -> None:
    assert server.order("BUY", "0.1", isIsolated=given).ok


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "MAGIC"}, -1116, "Invalid orderType."),
        ({"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
        ({"symbol": "btcusdt"}, -1100, "'symbol'"),
        ({"quantity": "1e-05"}, -1100, "'quantity'"),
        ({"quantity": "-1"}, -1100, "'quantity'"),
        ({"quantity": "NaN"}, -1100, "'quantity'"),
        ({"quantity": "Infinity"}, -1100, "'quantity'"),
        ({"quantity": "1\n"}, -1100, "'quantity'"),
        ({"quantity": "\u0661"}, -1100, "'quantity'"),
        ({"quantity": ""}, -1105, "'quantity'"),
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"quantity": "0.123456789"}, -1111, "'quantity'"),
        ({"quantity": "99999999999999999999"}, -1013, "LOT_SIZE"),
        ({"quantity": "9" * 21}, -1100, "'quantity'"),
        ({"price": "60000"}, -1106, "'price'"),
        ({"timeInForce": "GTC"}, -1106, "'timeInForce'"),
        ({"stopPrice": "1"}, -1106, "'stopPrice'"),
        ({"type": "LIMIT", "price": "60000"}, -1102, "'timeInForce'"),
        ({"type": "LIMIT", "timeInForce": "GTC"}, -1102, "'price'"),
        ({"type": "LIMIT", "price": "60000", "timeInForce": "NOW"}, -1115, "Invalid timeInForce."),
        ({"type": "STOP_LOSS"}, -1102, "'stopPrice'"),
        ({"quoteOrderQty": "100"}, -1106, "'quantity'"),
        ({"newClientOrderId": "a b"}, -1100, "'newClientOrderId'"),
        ({"newClientOrderId": "x" * 37}, -1100, "'newClientOrderId'"),
        ({"sideEffectType": "BORROW"}, -1130, "'sideEffectType'"),
        ({"newOrderRespType": "SOME"}, -1130, "'newOrderRespType'"),
        ({"isIsolated": "perhaps"}, -1130, "'isIsolated'"),
        ({"isIsolated": "FALSE"}, -3003, "Margin account does not exist."),
        ({"nonsense": "1"}, -1104, "read '7' parameter(s) but was sent '8'"),
    ],
)
def test_malformed_order_is_refused(server: Server, params: dict[str, str], code: int, text: str) -> None:
    good = {**PAIR, "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    answer = server.signed("POST", ORDER, **{**good, **params})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert text in answer.json()["msg"]


def test_market_order_without_any_size_is_minus_1102(server: Server) -> None:
    params = {**PAIR, "side": "BUY", "type": "MARKET"}
    answer = server.signed("POST", ORDER, **params)
    assert answer.json() == {
        "code": -1102,
        "msg": "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
    }


def test_repeated_parameter_is_minus_1101(server: Server) -> None:
    answer = server.send("GET", ORDER, "symbol=BTCUSDT&symbol=ETHUSDT")
    assert answer.json() == {"code": -1101, "msg": "Duplicate values for a parameter detected."}


def test_lookup_by_id_and_by_client_id(server: Server) -> None:
    placed = server.order("BUY", "0.1", newClientOrderId="mine").json()
    by_id = _get(server, "order", orderId=placed["orderId"])
    by_name = _get(server, "order", origClientOrderId="mine")
    assert by_id == by_name
    assert (by_id["status"], by_id["cummulativeQuoteQty"]) == ("FILLED", "6000.00100000")
    assert {"time", "updateTime", "isWorking", "icebergQty", "stopPrice", "isIsolated"} <= set(by_id)


def test_lookup_of_an_unknown_order_is_minus_2013(server: Server) -> None:
    assert _get(server, "order", origClientOrderId="nobody") == {
        "code": -2013,
        "msg": "Order does not exist.",
    }


def test_lookup_without_any_id_is_minus_1102(server: Server) -> None:
    assert _get(server, "order")["code"] == -1102


def test_cancel_answers_the_order_id_as_a_string(server: Server) -> None:
    placed = server.order("BUY", "0.1", type="LIMIT", price="50000", timeInForce="GTC").json()
    params = {**PAIR, "orderId": placed["orderId"]}
    answer = server.signed("DELETE", ORDER, **params).json()
    assert (answer["orderId"], answer["status"]) == (str(placed["orderId"]), "CANCELED")
    assert answer["origClientOrderId"] == placed["clientOrderId"] != answer["clientOrderId"]
    again = server.signed("DELETE", ORDER, **params).json()
    assert again == {"code": -2011, "msg": "Unknown order sent."}


def test_open_orders_list_and_cancel_all(server: Server) -> None:
    for price in ("50000", "51000"):
        server.order("BUY", "0.05", type="LIMIT", price=price, timeInForce="GTC")
    assert [one["price"] for one in _get(server, "openOrders")] == ["50000.00000000", "51000.00000000"]
    cancelled = server.signed("DELETE", "/sapi/v1/margin/openOrders", **PAIR).json()
    assert [one["status"] for one in cancelled] == ["CANCELED", "CANCELED"]
    assert _get(server, "openOrders") == []


def test_trades_page_by_id_inclusively(server: Server) -> None:
    for _ in range(4):
        server.order("BUY", "0.01")
    trades = _get(server, "myTrades")
    ids = [one["id"] for one in trades]
    assert ids == sorted(set(ids))
    page = _get(server, "myTrades", fromId=ids[1], limit=2)
    assert [one["id"] for one in page] == ids[1:3]
    assert [one["id"] for one in _get(server, "myTrades", limit=2)] == ids[2:]
    assert set(trades[0]) == {
        "commission", "commissionAsset", "id", "isBestMatch", "isBuyer", "isMaker", "orderId", "price", "qty",
        "symbol", "isIsolated", "time",
    }  # fmt: skip


def test_trades_of_one_order(server: Server) -> None:
    server.order("BUY", "0.01")
    wanted = server.order("BUY", "0.02").json()["orderId"]
    assert [one["qty"] for one in _get(server, "myTrades", orderId=wanted)] == ["0.02000000"]


def test_trades_reach_back_24_hours_unless_asked_from_an_id(server: Server) -> None:
    now = int(time.time() * 1_000)
    server.order("BUY", "0.01")
    server.control("POST", "fault", {"kind": "clock_skew_ms", "ms": DAY_MS + 60_000})
    later = int(time.time() * 1_000) + DAY_MS + 60_000
    assert _get(server, "myTrades", timestamp=later) == []
    assert len(_get(server, "myTrades", timestamp=later, fromId=1)) == 1
    assert len(_get(server, "myTrades", timestamp=later, startTime=now - 1_000)) == 1


def test_time_window_ends_are_inclusive(server: Server) -> None:
    server.order("BUY", "0.01")
    at = _get(server, "myTrades")[0]["time"]
    assert len(_get(server, "myTrades", startTime=at, endTime=at)) == 1
    assert _get(server, "myTrades", startTime=at + 1, endTime=at + 2) == []


def test_window_of_more_than_a_day_is_minus_1127(server: Server) -> None:
    answer = _get(server, "myTrades", startTime=1, endTime=DAY_MS + 2)
    assert answer == {"code": -1127, "msg": "More than 24 hours between startTime and endTime."}


def test_all_orders_from_an_id_on(server: Server) -> None:
    ids = [server.order("BUY", "0.01").json()["orderId"] for _ in range(3)]
    assert [one["orderId"] for one in _get(server, "allOrders", orderId=ids[1])] == ids[1:]
    assert [one["orderId"] for one in _get(server, "allOrders", limit=1)] == ids[2:]


def test_account_shows_one_pair_or_all(server: Server) -> None:
    path = "/sapi/v1/margin/isolated/account"
    everything = server.signed("GET", path).json()
    assert [one["symbol"] for one in everything["assets"]] == ["BTCUSDT", "ETHUSDT"]
    one = server.signed("GET", path, symbols="SOLUSDT").json()
    assert ([entry["symbol"] for entry in one["assets"]], "totalAssetOfBtc" in one) == (["SOLUSDT"], False)
    assert server.signed("GET", path, symbols=",".join(["BTCUSDT"] * 6)).json()["code"] == -1130


def test_account_payload_of_a_leveraged_long(server: Server) -> None:
    server.order("BUY", "0.3", sideEffectType="MARGIN_BUY")
    path = "/sapi/v1/margin/isolated/account"
    entry = server.signed("GET", path, symbols=BTC).json()["assets"][0]
    assert set(entry) == {
        "baseAsset", "quoteAsset", "symbol", "isolatedCreated", "enabled", "marginLevel", "marginLevelStatus",
        "marginRatio", "indexPrice", "liquidatePrice", "liquidateRate", "tradeEnabled",
    }  # fmt: skip
    assert set(entry["baseAsset"]) == set(entry["quoteAsset"]) == {
        "asset", "borrowEnabled", "borrowed", "free", "interest", "locked", "netAsset", "netAssetOfBtc",
        "repayEnabled", "totalAsset",
    }  # fmt: skip
    assert (entry["baseAsset"]["netAsset"], entry["quoteAsset"]["borrowed"]) == (
        "0.29970000",
        "8000.00300000",
    )
    assert (entry["isolatedCreated"], entry["marginLevelStatus"]) == (True, "EXCESSIVE")
    assert 0 < float(entry["liquidatePrice"]) < 60_000


def test_borrow_and_repay_by_hand(server: Server) -> None:
    path = "/sapi/v1/margin/borrow-repay"
    params = {**PAIR, "asset": "USDT", "amount": "100"}
    assert "tranId" in server.signed("POST", path, type="BORROW", **params).json()
    assert "tranId" in server.signed("POST", path, type="REPAY", **params).json()
    assert server.signed("POST", path, type="REPAY", **params).json()["code"] == -3015
    assert server.signed("POST", path, type="GIVE", **params).json()["code"] == -1130
