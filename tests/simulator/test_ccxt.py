"""ccxt, unmodified, trades isolated margin: only its addresses are set."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest

from tests.simulator.support import KEY, SECRET, Server

UNIFIED = "BTC/USDT"
ISOLATED = {"marginMode": "isolated"}


@pytest.fixture
def market(server: Server) -> Iterator[Any]:
    options = {"defaultType": "margin", "fetchMargins": True, "fetchMarkets": {"types": ["spot"]}}
    local = ccxt.binance({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": options})
    for name, address in local.urls["api"].items():
        if isinstance(address, str):
            local.urls["api"][name] = server.url + urlsplit(address).path
    local.session.trust_env = False
    local.load_markets()
    yield local
    local.session.close()


def test_markets_know_steps_and_margin(market: Any) -> None:
    btc = market.market(UNIFIED)
    assert (btc["precision"]["amount"], btc["precision"]["price"]) == (0.00001, 0.01)
    assert btc["marginModes"] == {"isolated": True, "cross": True}


def test_round_trip(market: Any) -> None:
    bought = market.create_order(
        UNIFIED, "market", "buy", 0.3, None, {**ISOLATED, "sideEffectType": "MARGIN_BUY"}
    )
    assert (bought["status"], bought["filled"], bought["fees"][0]["currency"]) == ("closed", 0.3, "BTC")
    assert market.fetch_order(bought["id"], UNIFIED, ISOLATED)["average"] == 60000.01
    sold = market.create_order(UNIFIED, "market", "sell", 0.2997, None, {**ISOLATED, "reduceOnly": True})
    assert sold["status"] == "closed"
    balance = market.fetch_balance(ISOLATED)
    assert (balance["BTC"]["total"], balance["USDT"]["debt"]) == (0.0, 0.0)
    assert [trade["side"] for trade in market.fetch_my_trades(UNIFIED, params=ISOLATED)] == ["buy", "sell"]


def test_limit_and_stop_orders_rest_and_are_cancelled(market: Any) -> None:
    market.create_order(UNIFIED, "market", "buy", 0.1, None, ISOLATED)
    limit = market.create_order(UNIFIED, "limit", "sell", 0.05, 70000, ISOLATED)
    stop = market.create_order(UNIFIED, "limit", "sell", 0.04, 57000, {**ISOLATED, "stopLossPrice": 58000})
    opened = market.fetch_open_orders(UNIFIED, params=ISOLATED)
    assert {one["id"] for one in opened} == {limit["id"], stop["id"]}
    assert market.cancel_order(limit["id"], UNIFIED, ISOLATED)["status"] == "canceled"
    assert len(market.cancel_all_orders(UNIFIED, ISOLATED)) == 1


def test_loans(market: Any) -> None:
    assert market.borrow_isolated_margin(UNIFIED, "USDT", 100)["id"]
    assert market.repay_isolated_margin(UNIFIED, "USDT", 100)["id"]


def test_refusals_arrive_as_its_own_exceptions(market: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        market.create_order(UNIFIED, "market", "sell", 1, None, ISOLATED)
    with pytest.raises(ccxt.OrderNotFound):
        market.fetch_order("1", UNIFIED, ISOLATED)
    with pytest.raises(ccxt.InvalidOrder):
        market.sapi_post_margin_order(
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "MARKET",
                "quantity": "0.000001",
                "isIsolated": "TRUE",
            }
        )
