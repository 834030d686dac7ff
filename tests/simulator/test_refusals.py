"""Filters and market rules, in the core."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from simulator.exchange import Exchange
from simulator.orders import OrderRequest
from simulator.settings import Settings
from simulator.symbols import CATALOG
from tests.simulator.support import BTC, KEY, Desk, refused


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ({"quantity": "0.000001"}, "LOT_SIZE"),
        ({"quantity": "0.123456"}, "LOT_SIZE"),
        ({"quantity": "9001"}, "LOT_SIZE"),
        ({"quantity": "121"}, "MARKET_LOT_SIZE"),
        ({"quantity": "0.00008"}, "NOTIONAL"),
        ({"type": "LIMIT", "quantity": "0.1", "price": "50000.001"}, "PRICE_FILTER"),
        ({"type": "LIMIT", "quantity": "0.1", "price": "0.001"}, "PRICE_FILTER"),
        ({"type": "LIMIT", "quantity": "0.1", "price": "11999"}, "PERCENT_PRICE_BY_SIDE"),
        ({"type": "LIMIT", "quantity": "0.1", "price": "300001"}, "PERCENT_PRICE_BY_SIDE"),
        ({"type": "LIMIT", "quantity": "0.0001", "price": "49999.99"}, "NOTIONAL"),
        ({"type": "STOP_LOSS", "quantity": "0.1", "stop_price": "61000.001"}, "PRICE_FILTER"),
        ({"quote_quantity": "4.99"}, "NOTIONAL"),
    ],
)
def test_filter_failure_names_the_filter(desk: Desk, wish: dict[str, Any], name: str) -> None:
    quantity = wish.pop("quantity", None)
    with refused(-1013, f"Filter failure: {name}"):
        desk.place("BUY", quantity, **wish)


def test_limit_at_exactly_the_minimum_notional_is_accepted(desk: Desk) -> None:
    assert desk.place("BUY", "0.0001", type="LIMIT", price="50000").status == "NEW"


def test_pair_without_margin_trading_is_refused(desk: Desk) -> None:
    with refused(-3021):
        desk.place("BUY", "1000000", symbol="LUNCUSDT")


def test_closed_market_refuses_orders() -> None:
    exchange = Exchange(
        catalog={BTC: replace(CATALOG[BTC], status="BREAK")}, settings=Settings(initial_pairs=())
    )
    exchange.add_account(KEY, "secret")
    with refused(-1013, "Market is closed."):
        exchange.place(KEY, OrderRequest(BTC, "BUY", "MARKET", quantity=Decimal("0.1")))


def test_unknown_symbol_is_refused(desk: Desk) -> None:
    with refused(-1121, "Invalid symbol."):
        desk.place("BUY", "1", symbol="NOSUCH")


def test_older_symbol_has_no_stop_loss_at_market(desk: Desk) -> None:
    desk.place("BUY", "10", symbol="LTCUSDT")
    with refused(-1013, "Stop loss orders are not supported for this symbol."):
        desk.place("SELL", "5", symbol="LTCUSDT", type="STOP_LOSS", stop_price="70")
    stop = desk.place("SELL", "5", symbol="LTCUSDT", type="STOP_LOSS_LIMIT", stop_price="70", price="69")
    assert stop.status == "NEW"


def test_unknown_order_is_not_found(desk: Desk) -> None:
    with refused(-2013, "Order does not exist."):
        desk.exchange.find(KEY, BTC, 1, None)
    with refused(-2013):
        desk.exchange.find(KEY, BTC, None, "nobody")


def test_order_of_another_symbol_is_not_found(desk: Desk) -> None:
    order = desk.place("BUY", "0.1")
    with refused(-2013):
        desk.exchange.find(KEY, "ETHUSDT", order.order_id, None)


def test_withdrawing_more_than_is_free_is_impossible(desk: Desk) -> None:
    desk.place("BUY", "0.1", type="LIMIT", price="50000")
    desk.exchange.set_free(KEY, BTC, "USDT", Decimal(0))
    assert (desk.quote().free, desk.quote().locked) == (Decimal(0), Decimal(5_000))
