"""Binance's own margin SDK, unmodified: parameters in the query, an empty body, no recvWindow."""

from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError, UnauthorizedError
from binance_sdk_margin_trading.margin_trading import MarginTrading
from binance_sdk_margin_trading.rest_api.models import (
    MarginAccountCancelOrderResponse,
    MarginAccountNewOrderResponse,
    QueryIsolatedMarginAccountInfoResponse,
    QueryMarginAccountsOrderResponse,
)

from tests.simulator.support import BTC, KEY, SECRET, Server

PAIR = {"symbol": BTC, "is_isolated": "TRUE"}


def _rest(server: Server, secret: str = SECRET, key: str = KEY) -> Any:
    settings = ConfigurationRestAPI(api_key=key, api_secret=secret, base_path=server.url, timeout=5_000)
    return MarginTrading(config_rest_api=settings).rest_api


@pytest.fixture
def rest(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return _rest(server)


def test_account_parses_into_its_strict_model(rest: Any) -> None:
    account = rest.query_isolated_margin_account_info(symbols=BTC).data()
    assert isinstance(account, QueryIsolatedMarginAccountInfoResponse)
    assert account.assets is not None
    quote = account.assets[0].quote_asset
    assert quote is not None
    assert quote.free == "10000.00000000"


def test_round_trip_in_its_strict_models(rest: Any) -> None:
    bought = rest.margin_account_new_order(**PAIR, side="BUY", type="MARKET", quantity=0.1).data()
    assert isinstance(bought, MarginAccountNewOrderResponse)
    assert (bought.status, bought.cummulative_quote_qty) == ("FILLED", "6000.00100000")
    placed = rest.margin_account_new_order(
        **PAIR, side="SELL", type="LIMIT", quantity=0.0999, price=70000, time_in_force="GTC",
        side_effect_type="AUTO_REPAY",
    ).data()  # fmt: skip
    found = rest.query_margin_accounts_order(**PAIR, order_id=placed.order_id).data()
    assert isinstance(found, QueryMarginAccountsOrderResponse)
    assert found.status == "NEW"
    cancelled = rest.margin_account_cancel_order(**PAIR, order_id=placed.order_id).data()
    assert isinstance(cancelled, MarginAccountCancelOrderResponse)
    assert cancelled.order_id == str(placed.order_id)


def test_lists_and_loans(rest: Any) -> None:
    rest.margin_account_new_order(**PAIR, side="BUY", type="MARKET", quantity=0.1)
    assert len(rest.query_margin_accounts_trade_list(**PAIR).data()) == 1
    assert len(rest.query_margin_accounts_all_orders(**PAIR).data()) == 1
    assert rest.query_margin_accounts_open_orders(**PAIR).data() == []
    loan = {"asset": "USDT", "is_isolated": "TRUE", "symbol": BTC, "amount": "10"}
    assert rest.margin_account_borrow_repay(**loan, type="BORROW").data().tran_id > 0
    assert rest.get_all_isolated_margin_symbol().data()


def test_refusals_arrive_as_its_own_exceptions(rest: Any, server: Server) -> None:
    with pytest.raises(BadRequestError) as caught:
        rest.margin_account_new_order(**PAIR, side="SELL", type="MARKET", quantity=1)
    assert caught.value.status_code == -2010
    with pytest.raises(UnauthorizedError):
        _rest(server, key="nobody").query_isolated_margin_account_info()
    with pytest.raises(BadRequestError):
        _rest(server, secret="wrong").query_isolated_margin_account_info()
