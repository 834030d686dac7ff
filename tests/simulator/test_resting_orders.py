"""Limit and stop orders: resting, locking, triggering, cancelling."""

from decimal import Decimal

import pytest

from simulator.market.book import Depth
from tests.simulator.support import BTC, KEY, Desk, refused

D = Decimal


def test_limit_buy_below_the_market_rests_and_locks_its_cost(desk: Desk) -> None:
    order = desk.place("BUY", "0.1", type="LIMIT", price="50000")
    assert order.status == "NEW"
    assert (desk.quote().free, desk.quote().locked) == (D(5_000), D(5_000))


def test_resting_limit_fills_as_maker_at_its_own_price_when_touched(desk: Desk) -> None:
    order = desk.place("BUY", "0.1", type="LIMIT", price="50000")
    desk.price("50000.01")
    assert order.status == "NEW"
    desk.price("49000")
    assert (order.status, order.fills[0].price, order.fills[0].is_maker) == ("FILLED", D(50_000), True)
    assert desk.quote().locked == 0


def test_limit_through_the_market_takes_the_better_price_and_frees_the_rest(desk: Desk) -> None:
    order = desk.place("BUY", "0.1", type="LIMIT", price="65000")
    assert (order.status, order.fills[0].price) == ("FILLED", D("60000.01"))
    assert desk.quote().total == desk.quote().free == D(10_000) - D("6000.001")


def test_limit_larger_than_the_book_rests_with_the_remainder(desk: Desk) -> None:
    desk.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.04")))
    order = desk.place("BUY", "0.1", type="LIMIT", price="60000.01")
    assert (order.status, order.executed) == ("PARTIALLY_FILLED", D("0.04"))
    assert desk.quote().locked == D("60000.01") * D("0.06")


def test_immediate_or_cancel_expires_with_what_is_left(desk: Desk) -> None:
    desk.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.04")))
    order = desk.place("BUY", "0.1", type="LIMIT", price="60000.01", time_in_force="IOC")
    assert (order.status, order.executed, desk.quote().locked) == ("EXPIRED", D("0.04"), D(0))


def test_fill_or_kill_fills_nothing_when_it_cannot_fill_all(desk: Desk) -> None:
    desk.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.04")))
    order = desk.place("BUY", "0.1", type="LIMIT", price="60000.01", time_in_force="FOK")
    assert (order.status, order.executed, desk.quote().free) == ("EXPIRED", D(0), D(10_000))


def test_limit_maker_that_would_take_is_refused(desk: Desk) -> None:
    with refused(-2010, "Order would immediately match and take."):
        desk.place("BUY", "0.1", type="LIMIT_MAKER", price="60000.01")


@pytest.mark.parametrize("kind", ["STOP_LOSS", "STOP_LOSS_LIMIT"])
def test_resting_stop_locks_the_balance_so_that_nobody_can_sell_it(desk: Desk, kind: str) -> None:
    desk.place("BUY", "0.1")
    price = {"price": "57000"} if kind == "STOP_LOSS_LIMIT" else {}
    desk.place("SELL", "0.0999", type=kind, stop_price="58000", **price)
    assert (desk.base().free, desk.base().locked) == (D(0), D("0.0999"))
    with refused(-2010, "insufficient balance"):
        desk.place("SELL", "0.0999", by_hand=True)


def test_stop_loss_sells_at_market_on_a_touch(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    stop = desk.place("SELL", "0.0999", type="STOP_LOSS", stop_price="58000")
    desk.price("58000.01")
    assert stop.status == "NEW"
    desk.price("58000")
    assert (stop.status, stop.fills[0].price) == ("FILLED", D(58_000))


def test_stop_loss_gap_fills_at_the_market_not_at_the_stop(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    stop = desk.place("SELL", "0.0999", type="STOP_LOSS", stop_price="58000")
    desk.price("55000")
    assert stop.fills[0].price == D(55_000)


def test_stop_loss_limit_rests_when_the_market_gaps_past_its_limit(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    stop = desk.place("SELL", "0.0999", type="STOP_LOSS_LIMIT", stop_price="58000", price="57500")
    desk.price("55000")
    assert (stop.status, stop.is_working) == ("NEW", True)
    desk.price("57500")
    assert (stop.status, stop.fills[0].price) == ("FILLED", D(57_500))


def test_buy_stop_uses_the_free_balance_when_the_market_gaps_above_it(desk: Desk) -> None:
    desk.place("SELL", "0.1", side_effect="MARGIN_BUY")
    stop = desk.place("BUY", "0.1002", type="STOP_LOSS", stop_price="61000", side_effect="AUTO_REPAY")
    desk.price("64000")
    assert (stop.status, stop.executed) == ("FILLED", D("0.1002"))
    assert desk.base().debt == 0


def test_buy_stop_that_the_account_cannot_pay_fills_what_it_can(desk: Desk) -> None:
    stop = desk.place("BUY", "0.16", type="STOP_LOSS", stop_price="61000")
    desk.price("100000")
    assert stop.status == "EXPIRED"
    assert D("0.0999") <= stop.executed <= D("0.1")
    assert desk.quote().free < D("1.1")


def test_stop_on_the_wrong_side_of_the_market_is_refused(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    with refused(-2010, "would trigger immediately"):
        desk.place("SELL", "0.05", type="STOP_LOSS", stop_price="60000")


def test_duplicate_client_id_of_an_open_order_is_refused(desk: Desk) -> None:
    desk.place("BUY", "0.01", type="LIMIT", price="50000", client_order_id="mine")
    with refused(-2010, "Duplicate order sent."):
        desk.place("BUY", "0.01", client_order_id="mine")


def test_client_id_is_free_again_after_a_cancel(desk: Desk) -> None:
    order = desk.place("BUY", "0.01", type="LIMIT", price="50000", client_order_id="mine")
    desk.exchange.cancel(KEY, BTC, client_id="mine")
    assert desk.place("BUY", "0.01", client_order_id="mine").status == "FILLED"
    assert order.status == "CANCELED"


def test_cancel_gives_back_what_was_locked(desk: Desk) -> None:
    order = desk.place("BUY", "0.1", type="LIMIT", price="50000")
    desk.exchange.cancel(KEY, BTC, order.order_id)
    assert (order.status, desk.quote().free, desk.quote().locked) == ("CANCELED", D(10_000), D(0))


def test_cancel_of_a_filled_order_is_unknown_order(desk: Desk) -> None:
    order = desk.place("BUY", "0.1")
    with refused(-2011, "Unknown order sent."):
        desk.exchange.cancel(KEY, BTC, order.order_id)


def test_cancel_of_another_accounts_order_is_unknown_order(desk: Desk) -> None:
    desk.exchange.add_account("other", "secret")
    order = desk.place("BUY", "0.1", type="LIMIT", price="50000")
    with refused(-2011):
        desk.exchange.cancel("other", BTC, order.order_id)


def test_cancel_all_without_open_orders_is_unknown_order(desk: Desk) -> None:
    with refused(-2011):
        desk.exchange.cancel_all(KEY, BTC)


def test_sixth_stop_on_a_symbol_is_refused(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    for _ in range(5):
        desk.place("SELL", "0.01", type="STOP_LOSS", stop_price="58000")
    with refused(-1013, "MAX_NUM_ALGO_ORDERS"):
        desk.place("SELL", "0.01", type="STOP_LOSS", stop_price="58000")


def test_take_profit_triggers_on_the_other_side(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    target = desk.place("SELL", "0.0999", type="TAKE_PROFIT", stop_price="62000")
    desk.price("61999.99")
    assert target.status == "NEW"
    desk.price("62000")
    assert target.status == "FILLED"
