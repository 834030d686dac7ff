"""python-binance, unmodified, trades isolated margin: only its base addresses are set."""

import asyncio
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from binance import AsyncClient
from binance.exceptions import BinanceAPIException

from tests.other_clients import python_binance
from tests.simulator.support import BTC, KEY, SECRET, Server, until

PAIR = {"symbol": BTC, "isIsolated": "TRUE"}


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with python_binance(server.url, KEY, SECRET) as local:
        yield local


def test_round_trip_of_a_leveraged_long(client: Any) -> None:
    bought = client.create_margin_order(
        **PAIR,
        side="BUY",
        type="MARKET",
        quantity="0.3",
        sideEffectType="MARGIN_BUY",
        newOrderRespType="FULL",
        newClientOrderId="core.1-1",
    )
    assert (bought["status"], bought["clientOrderId"]) == ("FILLED", "core.1-1")
    free = client.get_isolated_margin_account(symbols=BTC)["assets"][0]["baseAsset"]["free"]
    quantity = Decimal(free).quantize(Decimal("0.00001"))
    sold = client.create_margin_order(
        **PAIR, side="SELL", type="MARKET", quantity=f"{quantity:f}", sideEffectType="AUTO_REPAY"
    )
    assert sold["status"] == "FILLED"
    after = client.get_isolated_margin_account(symbols=BTC)["assets"][0]
    assert (after["baseAsset"]["totalAsset"], after["quoteAsset"]["borrowed"]) == ("0.00000000", "0.00000000")
    assert client.get_margin_order(**PAIR, origClientOrderId="core.1-1")["orderId"] == bought["orderId"]
    assert [trade["isBuyer"] for trade in client.get_margin_trades(**PAIR)] == [True, False]


def test_resting_stop_is_listed_and_cancelled(client: Any) -> None:
    client.create_margin_order(**PAIR, side="BUY", type="MARKET", quantity="0.1")
    client.create_margin_order(
        **PAIR, side="SELL", type="STOP_LOSS_LIMIT", quantity="0.0999", stopPrice="58000", price="57900",
        timeInForce="GTC", newClientOrderId="stop",
    )  # fmt: skip
    assert [one["clientOrderId"] for one in client.get_open_margin_orders(**PAIR)] == ["stop"]
    cancelled = client.cancel_margin_order(**PAIR, origClientOrderId="stop")
    assert isinstance(cancelled["orderId"], str)
    assert client.get_all_margin_orders(**PAIR)[-1]["status"] == "CANCELED"


def test_refusals_arrive_as_its_own_exception(client: Any) -> None:
    with pytest.raises(BinanceAPIException) as caught:
        client.create_margin_order(**PAIR, side="SELL", type="MARKET", quantity="1")
    assert (caught.value.code, caught.value.status_code) == (-2010, 400)
    assert caught.value.message == "Account has insufficient balance for requested action."


def test_loans_and_market_data(client: Any) -> None:
    loan = {"asset": "USDT", "isIsolated": "TRUE", "symbol": BTC, "amount": "50"}
    assert "tranId" in client.margin_borrow_repay(**loan, type="BORROW")
    assert client.get_symbol_info(BTC)["symbol"] == BTC
    assert len(client.get_klines(symbol=BTC, interval="1m", limit=30)) == 30
    assert client.get_account_api_permissions()["enableWithdrawals"] is False
    assert client.get_max_margin_loan(asset="USDT", isolatedSymbol=BTC)["amount"] == "39950.00000000"


def test_listen_token_and_user_data(client: Any, server: Server) -> None:
    from websockets.sync.client import connect

    token = client.margin_create_listen_token(symbol=BTC, is_isolated=True)
    request = {
        "id": 1,
        "method": "userDataStream.subscribe.listenToken",
        "params": {"listenToken": token["token"]},
    }
    with connect(server.ws_api, proxy=None) as socket:
        socket.send(json.dumps(request))
        assert json.loads(socket.recv(5))["status"] == 200
        client.create_margin_order(**PAIR, side="BUY", type="MARKET", quantity="0.1")
        assert json.loads(socket.recv(5))["event"]["x"] == "NEW"


def test_lost_answer_surfaces_as_a_transport_error(client: Any, server: Server) -> None:
    server.control("POST", "fault", {"kind": "timeout_after_accept", "path": "margin/order", "count": 1})
    client.REQUEST_TIMEOUT = 0.3
    client._requests_params = {"timeout": 0.3}
    with pytest.raises(requests.exceptions.RequestException):
        client.create_margin_order(**PAIR, side="BUY", type="MARKET", quantity="0.1", newClientOrderId="lost")
    until(lambda: server.control("GET", "orders"))
    client._requests_params = None
    client.REQUEST_TIMEOUT = 10
    assert client.get_margin_order(**PAIR, origClientOrderId="lost")["status"] == "FILLED"


def test_time_offset_makes_up_for_a_skewed_exchange(client: Any, server: Server) -> None:
    server.control("POST", "fault", {"kind": "clock_skew_ms", "ms": -20_000})
    with pytest.raises(BinanceAPIException) as caught:
        client.get_isolated_margin_account()
    assert caught.value.code == -1021
    client.timestamp_offset = client.get_server_time()["serverTime"] - int(time.time() * 1_000)
    assert client.get_isolated_margin_account()["assets"]


def test_async_client_trades_too(server: Server) -> None:
    class Local(AsyncClient):  # type: ignore[misc]  # python-binance carries no types
        API_URL = f"{server.url}/api"
        MARGIN_API_URL = f"{server.url}/sapi"

    async def trade() -> Any:
        local = Local(KEY, SECRET)
        try:
            return await local.create_margin_order(**PAIR, side="BUY", type="MARKET", quantity="0.1")
        finally:
            await local.close_connection()

    assert asyncio.run(trade())["status"] == "FILLED"
