"""Loans: what side effects borrow and repay, interest, and the limit of leverage."""

from decimal import Decimal

import pytest

from simulator.market.book import Depth
from tests.simulator.support import BTC, KEY, Desk, desk, refused

D = Decimal
HOUR_MS = 3_600_000


def test_margin_buy_borrows_only_what_is_missing(desk: Desk) -> None:
    order = desk.place("BUY", "0.3", side_effect="MARGIN_BUY")
    assert (order.loan, order.loan_asset) == (D("18000.003") - D(10_000), "USDT")
    assert (desk.quote().free, desk.quote().borrowed) == (D(0), order.loan)


def test_margin_buy_with_enough_money_borrows_nothing(desk: Desk) -> None:
    order = desk.place("BUY", "0.1", side_effect="MARGIN_BUY")
    assert (order.loan, desk.quote().borrowed) == (D(0), D(0))


def test_short_borrows_the_base_currency(desk: Desk) -> None:
    desk.place("SELL", "0.2", side_effect="MARGIN_BUY")
    assert (desk.base().free, desk.base().borrowed, desk.base().net) == (D(0), D("0.2"), D("-0.2"))


def test_sell_with_auto_repay_pays_the_quote_debt_from_the_proceeds(desk: Desk) -> None:
    desk.place("BUY", "0.3", side_effect="MARGIN_BUY")
    desk.place("SELL", "0.29970", side_effect="AUTO_REPAY")
    assert desk.quote().debt == 0
    assert desk.quote().free == D(17_982) - D("17.982") - D("8000.003")


def test_short_exit_grossed_up_for_the_fee_clears_debt_and_interest() -> None:
    desk_ = desk(interest_per_hour=D("0.0001"))
    desk_.place("SELL", "0.2", side_effect="MARGIN_BUY")
    assert desk_.base().debt == D("0.20002")
    desk_.place("BUY", "0.20023", side_effect="AUTO_REPAY")
    assert desk_.base().debt == 0
    assert 0 <= desk_.base().free < D("0.00002")


def test_short_exit_that_forgets_the_fee_leaves_debt(desk: Desk) -> None:
    desk.place("SELL", "0.2", side_effect="MARGIN_BUY")
    desk.place("BUY", "0.2", side_effect="AUTO_REPAY")
    assert desk.base().debt == D("0.0002")


def test_repayment_takes_no_more_than_the_order_received(desk: Desk) -> None:
    desk.place("SELL", "0.2", side_effect="MARGIN_BUY")
    desk.exchange.set_free(KEY, BTC, "BTC", D("0.5"))
    desk.place("BUY", "0.1", side_effect="AUTO_REPAY")
    assert desk.base().debt == D("0.2") - D("0.0999")


def test_repayment_pays_interest_before_principal() -> None:
    desk_ = desk(interest_per_hour=D("0.001"))
    desk_.exchange.borrow(KEY, BTC, "USDT", D(1_000))
    desk_.exchange.repay(KEY, BTC, "USDT", D("0.4"))
    assert (desk_.quote().interest, desk_.quote().borrowed) == (D("0.6"), D(1_000))
    desk_.exchange.repay(KEY, BTC, "USDT", D("100.6"))
    assert (desk_.quote().interest, desk_.quote().borrowed) == (D(0), D(900))


def test_interest_is_charged_at_once_and_then_by_the_hour() -> None:
    desk_ = desk(interest_per_hour=D("0.001"))
    desk_.exchange.borrow(KEY, BTC, "USDT", D(1_000))
    assert desk_.quote().interest == D(1)
    desk_.clock.ms += HOUR_MS - 1
    assert desk_.quote().interest == D(1)
    desk_.clock.ms += 1
    assert desk_.quote().interest == D(2)
    desk_.clock.ms += 3 * HOUR_MS
    assert desk_.quote().interest == D(5)


def test_side_effect_that_does_not_borrow_cannot_sell_what_is_not_there(desk: Desk) -> None:
    for effect in ("NO_SIDE_EFFECT", "AUTO_REPAY"):
        with refused(-2010, "insufficient balance"):
            desk.place("SELL", "0.2", side_effect=effect)


def test_auto_borrow_repay_borrows_and_repays(desk: Desk) -> None:
    desk.place("SELL", "0.2", side_effect="AUTO_BORROW_REPAY")
    desk.place("BUY", "0.20021", side_effect="AUTO_BORROW_REPAY")
    assert (desk.base().debt, desk.quote().debt) == (D(0), D(0))


def test_borrowing_stops_at_the_leverage(desk: Desk) -> None:
    assert desk.exchange.max_borrow(KEY, BTC, "USDT") == D(40_000)
    with refused(-3006, "exceed maximum borrow amount"):
        desk.exchange.borrow(KEY, BTC, "USDT", D("40000.00000001"))
    desk.exchange.borrow(KEY, BTC, "USDT", D(40_000))
    assert desk.exchange.max_borrow(KEY, BTC, "USDT") == 0


def test_order_that_would_borrow_too_much_changes_nothing(desk: Desk) -> None:
    with refused(-3006):
        desk.place("BUY", "0.9", side_effect="MARGIN_BUY")
    assert (desk.quote().free, desk.quote().borrowed) == (D(10_000), D(0))


@pytest.mark.parametrize(("amount", "code"), [("101", -3015), ("100", -3041)])
def test_repayment_beyond_debt_or_balance_is_refused(desk: Desk, amount: str, code: int) -> None:
    desk.exchange.borrow(KEY, BTC, "USDT", D(100))
    desk.exchange.set_free(KEY, BTC, "USDT", D(50))
    with refused(code):
        desk.exchange.repay(KEY, BTC, "USDT", D(amount))


def test_asset_outside_the_pair_cannot_be_borrowed(desk: Desk) -> None:
    with refused(-3027):
        desk.exchange.borrow(KEY, BTC, "ETH", D(1))


def test_cancelled_order_repays_its_own_loan(desk: Desk) -> None:
    order = desk.place("BUY", "0.3", type="LIMIT", price="50000", side_effect="MARGIN_BUY")
    assert desk.quote().borrowed == D(5_000)
    desk.exchange.cancel(KEY, BTC, order.order_id)
    assert (desk.quote().borrowed, desk.quote().free) == (D(0), D(10_000))


def test_cancelled_order_repays_only_the_part_of_its_loan_that_it_did_not_spend(desk: Desk) -> None:
    desk.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.25")))
    order = desk.place("BUY", "0.3", type="LIMIT", price="60000.01", side_effect="MARGIN_BUY")
    desk.exchange.set_free(KEY, BTC, "USDT", D(5_000))
    desk.exchange.cancel(KEY, BTC, order.order_id)
    assert desk.quote().borrowed == D("8000.003") - D("3000.0005")
    assert desk.quote().free == D(5_000)


def test_cancelled_order_keeps_its_loan_when_told_so(desk: Desk) -> None:
    order = desk.place(
        "BUY", "0.3", type="LIMIT", price="50000", side_effect="MARGIN_BUY", repay_at_cancel=False
    )
    desk.exchange.cancel(KEY, BTC, order.order_id)
    assert (desk.quote().borrowed, desk.quote().free) == (D(5_000), D(15_000))


def test_partly_filled_exit_repays_with_the_part_that_filled(desk: Desk) -> None:
    desk.place("BUY", "0.3", side_effect="MARGIN_BUY")
    desk.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.1")))
    order = desk.place("SELL", "0.29970", side_effect="AUTO_REPAY")
    assert order.status == "EXPIRED"
    assert desk.quote().debt == D("8000.003") - (D(6_000) - D(6))


def test_pairs_are_isolated_from_each_other(desk: Desk) -> None:
    desk.place("BUY", "0.3", side_effect="MARGIN_BUY")
    assert (desk.quote("ETHUSDT").borrowed, desk.quote("ETHUSDT").free) == (D(0), D(10_000))
