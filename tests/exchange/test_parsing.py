from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.factories import (
    account,
    asset,
    cancelled_order,
    default_filters,
    exchange_info,
    fill,
    full_order,
    own_trade,
    pair,
    symbol_info,
)
from trading.domain.types import AssetBalance, OrderSide
from trading.exchange import parsing, parsing_market
from trading.exchange.errors import BadAnswer

D = Decimal


def test_a_margin_pair_is_its_balances() -> None:
    found = parsing.margin_pairs(account(pair("BTCUSDT"), pair("ETHUSDT")))

    assert list(found) == ["BTCUSDT", "ETHUSDT"]
    assert found["BTCUSDT"].base == AssetBalance("BTC", D("0.5"), D("0.1"), D("0.2"), D("0.01"))
    assert found["BTCUSDT"].base.net == D("0.39")


def test_an_account_without_pairs_is_an_answer() -> None:
    assert parsing.margin_pairs(account()) == {}


@pytest.mark.parametrize("answer", [{}, [], None, "", {"assets": None}, {"assets": {}}, {"assets": [None]}])
def test_an_answer_that_is_no_account_is_never_an_empty_one(answer: object) -> None:
    with pytest.raises(BadAnswer):
        parsing.margin_pairs(answer)


def test_a_pair_listed_twice_is_refused() -> None:
    with pytest.raises(BadAnswer, match="twice"):
        parsing.margin_pairs(account(pair("BTCUSDT"), pair("BTCUSDT")))


@pytest.mark.parametrize("field", ["free", "locked", "borrowed", "interest"])
@pytest.mark.parametrize("value", ["NaN", "-1", "Infinity", "1e5", "", " 1", "1_0", 1.5, None, True, "٣"])
def test_a_balance_that_is_no_plain_number_is_refused_by_name(field: str, value: Any) -> None:
    broken = pair(baseAsset=asset("BTC", **{field: value}))

    with pytest.raises(BadAnswer, match=field):
        parsing.margin_pairs(account(broken))


def test_a_full_answer_carries_its_fills() -> None:
    fills = [
        fill(price="60000.00", qty="0.00004", tradeId=1),
        fill(price="59999.00", qty="0.00006", tradeId=2),
    ]

    report = parsing.order(full_order(fills=fills), received_ms=0)

    assert report.order_id == "28"
    assert report.side is OrderSide.SELL
    assert report.time_ms == 1_700_000_000_123
    assert [(one.trade_id, one.price, one.quantity) for one in report.fills] == [
        (1, D("60000.00"), D("0.00004")),
        (2, D("59999.00"), D("0.00006")),
    ]
    assert report.fills[0].quote_quantity == D("2.4000000")
    assert report.is_final


def test_filled_for_nothing_takes_its_worth_from_the_fills() -> None:
    report = parsing.order(full_order(cummulativeQuoteQty="0.00000000"), received_ms=0)

    assert report.executed_quote == D("6")


def test_fills_that_leave_something_out_are_left_out_themselves() -> None:
    report = parsing.order(full_order(executedQty="0.00020000"), received_ms=0)

    assert report.fills == ()
    assert report.executed_quantity == D("0.0002")


def test_a_looked_up_order_has_the_time_of_its_last_change() -> None:
    source = full_order(time=5, updateTime=7)
    del source["transactTime"], source["fills"]

    report = parsing.order(source, received_ms=0)

    assert report.time_ms == 7
    assert report.fills == ()


def test_a_cancel_names_the_order_it_cancelled_and_has_a_text_for_an_id() -> None:
    report = parsing.order(cancelled_order(), received_ms=99)

    assert (report.order_id, report.client_order_id) == ("28", "rbs-1")
    assert report.time_ms == 99
    assert report.executed_quantity == D("8")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("orderId", None),
        ("orderId", "x28"),
        ("orderId", True),
        ("orderId", -1),
        ("side", "HOLD"),
        ("status", ""),
        ("executedQty", "-0.1"),
        ("executedQty", 0.1),
        ("cummulativeQuoteQty", "NaN"),
        ("fills", {}),
        ("fills", [fill(price="0.00000000")]),
        ("fills", [fill(tradeId=1.5)]),
        ("symbol", 7),
    ],
)
def test_an_order_with_a_malformed_field_is_refused(field: str, value: Any) -> None:
    with pytest.raises(BadAnswer):
        parsing.order(full_order(**{field: value}), received_ms=0)


@pytest.mark.parametrize(
    "field",
    [
        "symbol",
        "orderId",
        "clientOrderId",
        "side",
        "status",
        "type",
        "origQty",
        "executedQty",
        "cummulativeQuoteQty",
    ],
)
def test_an_order_without_a_field_is_refused_by_name(field: str) -> None:
    source = full_order()
    del source[field]

    with pytest.raises(BadAnswer, match=field):
        parsing.order(source, received_ms=0)


def test_trades_come_oldest_first_with_their_own_side() -> None:
    first, second = parsing.trades([own_trade(8, isBuyer=False), own_trade(7)])

    assert (first.trade_id, first.side) == (7, OrderSide.BUY)
    assert (second.trade_id, second.side) == (8, OrderSide.SELL)
    assert first.quote_quantity == D("60000.02") * D("0.06")


@pytest.mark.parametrize("answer", [None, {}, "", [[]], [{**own_trade(), "isBuyer": "true"}]])
def test_malformed_trades_are_refused(answer: object) -> None:
    with pytest.raises(BadAnswer):
        parsing.trades(answer)


def test_rules_come_from_the_filters() -> None:
    rules = parsing_market.symbol_rules(exchange_info(symbol_info()), symbol="BTCUSDT")

    assert (rules.base_asset, rules.quote_asset) == ("BTC", "USDT")
    assert rules.trading
    assert rules.margin_allowed
    assert (rules.tick_size, rules.lot_step, rules.market_lot_step) == (D("0.01"), D("0.00001"), D(0))
    assert (rules.min_quantity, rules.max_quantity) == (D("0.00001"), D("9000"))
    assert (rules.market_max_quantity, rules.min_notional) == (D("107.5"), D(5))
    assert "STOP_LOSS" in rules.order_types


def test_a_symbol_on_halt_is_not_trading() -> None:
    info = exchange_info(symbol_info(status="BREAK"))

    assert not parsing_market.symbol_rules(info, symbol="BTCUSDT").trading


def test_a_notional_that_spares_market_orders_does_not_bind_them() -> None:
    spared = [item for item in default_filters() if item["filterType"] != "NOTIONAL"]
    spared.append({"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": False})

    rules = parsing_market.symbol_rules(exchange_info(symbol_info(*spared)), symbol="BTCUSDT")

    assert rules.min_notional == 0


def test_an_older_symbol_states_min_notional_instead() -> None:
    older = [item for item in default_filters() if item["filterType"] != "NOTIONAL"]
    older.append({"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True})

    rules = parsing_market.symbol_rules(exchange_info(symbol_info(*older)), symbol="BTCUSDT")

    assert rules.min_notional == 10


def test_without_a_market_lot_size_the_lot_size_limits_market_orders() -> None:
    fewer = [item for item in default_filters() if item["filterType"] != "MARKET_LOT_SIZE"]

    rules = parsing_market.symbol_rules(exchange_info(symbol_info(*fewer)), symbol="BTCUSDT")

    assert (rules.market_lot_step, rules.market_max_quantity) == (D(0), D(9000))


@pytest.mark.parametrize("missing", ["LOT_SIZE", "PRICE_FILTER"])
def test_rules_without_a_filter_that_orders_need_are_refused(missing: str) -> None:
    filters = [item for item in default_filters() if item["filterType"] != missing]

    with pytest.raises(BadAnswer, match=missing):
        parsing_market.symbol_rules(exchange_info(symbol_info(*filters)), symbol="BTCUSDT")


def test_rules_of_another_symbol_are_no_answer() -> None:
    with pytest.raises(BadAnswer, match="ETHUSDT"):
        parsing_market.symbol_rules(exchange_info(symbol_info()), symbol="ETHUSDT")


def test_a_price_of_zero_is_left_out_of_the_prices() -> None:
    found = parsing_market.prices(
        [{"symbol": "BTCUSDT", "price": "60000.00"}, {"symbol": "OLDUSDT", "price": "0.00000000"}]
    )

    assert found == {"BTCUSDT": D("60000.00")}


@pytest.mark.parametrize(
    "answer", [[], {}, None, [{"symbol": "BTCUSDT", "price": "NaN"}], [{"symbol": "BTCUSDT"}]]
)
def test_no_prices_are_no_answer(answer: object) -> None:
    with pytest.raises(BadAnswer):
        parsing_market.prices(answer)


def test_a_price_is_as_old_as_the_question() -> None:
    tick = parsing_market.price({"symbol": "BTCUSDT", "price": "1.5"}, symbol="BTCUSDT", asked_ms=12)

    assert (tick.price, tick.time_ms) == (D("1.5"), 12)


@pytest.mark.parametrize(
    "answer", [{"symbol": "ETHUSDT", "price": "1.5"}, {"symbol": "BTCUSDT", "price": "0"}, {"price": "1"}]
)
def test_a_price_of_something_else_or_of_nothing_is_refused(answer: object) -> None:
    with pytest.raises(BadAnswer):
        parsing_market.price(answer, symbol="BTCUSDT", asked_ms=12)


def kline(open_ms: int, close_ms: int) -> list[Any]:
    return [open_ms, "1.0", "4.0", "0.5", "2.0", "10.0", close_ms, "20.0", 3, "5.0", "10.0", "0"]


def test_the_last_candle_is_open_until_its_close_time_has_passed() -> None:
    answer = [kline(0, 59_999), kline(60_000, 119_999)]

    during = parsing_market.candles(answer, symbol="BTCUSDT", interval="1m", now_ms=119_999)
    after = parsing_market.candles(answer, symbol="BTCUSDT", interval="1m", now_ms=120_000)

    assert [candle.closed for candle in during] == [True, False]
    assert [candle.closed for candle in after] == [True, True]
    assert (during[0].open, during[0].high, during[0].low, during[0].close) == (D(1), D(4), D("0.5"), D(2))


@pytest.mark.parametrize(
    "answer", [{}, [[]], [kline(0, 59_999)[:6]], [[0, "x", "4", "1", "2", "10", 59_999]]]
)
def test_malformed_candles_are_refused(answer: object) -> None:
    with pytest.raises(BadAnswer):
        parsing_market.candles(answer, symbol="BTCUSDT", interval="1m", now_ms=0)


@pytest.mark.parametrize(
    ("parse", "answer"),
    [
        (parsing.listen_token, {"token": "", "expirationTime": 1}),
        (parsing.listen_token, {"token": "x"}),
        (parsing.transaction_id, {}),
        (parsing_market.server_time, {"serverTime": "soon"}),
    ],
)
def test_other_malformed_answers_are_refused(parse: Callable[[object], object], answer: object) -> None:
    with pytest.raises(BadAnswer):
        parse(answer)


@pytest.mark.parametrize("name", ["isMarginTrade", "isBuyAllowed", "isSellAllowed"])
def test_a_pair_that_cannot_be_traded_both_ways_is_not_listed(name: str) -> None:
    row = {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT"}
    open_both_ways = {"isMarginTrade": True, "isBuyAllowed": True, "isSellAllowed": True}
    assert [pair.symbol for pair in parsing_market.listed_pairs([row | open_both_ways])] == ["BTCUSDT"]
    assert parsing_market.listed_pairs([row | open_both_ways | {name: False}]) == []
