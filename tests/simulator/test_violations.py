"""What counts as a violation, and what does not."""

from decimal import Decimal

from simulator import reports
from simulator.market.book import Depth
from tests.simulator.support import BTC, KEY, Desk, desk, refused

D = Decimal
COLLATERAL = D(5)


def _with_base_collateral() -> Desk:
    """Base currency of the owner's own makes it possible to sell more than a position holds."""
    fresh = desk()
    fresh.exchange.set_free(KEY, BTC, "BTC", COLLATERAL)
    return fresh


def test_opening_and_closing_a_long_is_clean(desk: Desk) -> None:
    desk.place("BUY", "0.3", side_effect="MARGIN_BUY")
    desk.place("SELL", "0.29970", side_effect="AUTO_REPAY")
    assert desk.violations() == []
    assert desk.exchange.pair(KEY, BTC).position == 0


def test_opening_and_closing_a_short_is_clean_although_the_exit_rounds_up() -> None:
    fresh = desk(interest_per_hour=D("0.00001"))
    fresh.place("SELL", "0.2", side_effect="MARGIN_BUY")
    fresh.place("BUY", "0.20021", side_effect="AUTO_REPAY")
    assert fresh.violations() == []


def test_collateral_in_base_currency_is_no_position() -> None:
    fresh = _with_base_collateral()
    assert fresh.exchange.pair(KEY, BTC).position == 0
    assert reports.side_of(fresh.exchange, fresh.exchange.pair(KEY, BTC)) == "flat"


def test_second_exit_out_of_collateral_is_a_double_exit_and_oversold() -> None:
    fresh = _with_base_collateral()
    fresh.place("BUY", "0.1")
    fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    assert fresh.violations() == []
    fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    assert fresh.violations() == ["oversold", "double_exit"]


def test_second_exit_that_the_balance_refuses_is_no_violation(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    desk.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    with refused(-2010):
        desk.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    assert desk.violations() == []


def test_exit_larger_than_the_position_is_oversold_but_not_a_double_exit() -> None:
    fresh = _with_base_collateral()
    fresh.place("BUY", "0.1")
    fresh.place("SELL", "0.2", side_effect="AUTO_REPAY")
    assert fresh.violations() == ["oversold"]


def test_residual_exit_that_ignores_the_part_already_sold_is_a_double_exit() -> None:
    fresh = _with_base_collateral()
    fresh.place("BUY", "0.1")
    fresh.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.04")))
    assert fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY").status == "EXPIRED"
    fresh.exchange.board.set_depth(BTC, Depth())
    fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    assert fresh.violations() == ["oversold", "double_exit"]


def test_residual_exit_of_the_right_size_is_clean() -> None:
    fresh = _with_base_collateral()
    fresh.place("BUY", "0.1")
    fresh.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.04")))
    fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    fresh.exchange.board.set_depth(BTC, Depth())
    fresh.place("SELL", "0.0599", side_effect="AUTO_REPAY")
    assert fresh.violations() == []


def test_exit_that_borrows_past_the_position_is_oversold(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    desk.place("SELL", "0.2", side_effect="AUTO_BORROW_REPAY")
    assert desk.violations() == ["oversold"]


def test_short_bought_back_twice_is_a_double_exit(desk: Desk) -> None:
    desk.place("SELL", "0.05", side_effect="MARGIN_BUY")
    desk.place("BUY", "0.05006", side_effect="AUTO_REPAY")
    desk.place("BUY", "0.05006", side_effect="AUTO_REPAY")
    assert desk.violations() == ["double_exit"]


def test_short_bought_back_beyond_its_debt_is_an_exit_beyond_the_position(desk: Desk) -> None:
    desk.place("SELL", "0.05", side_effect="MARGIN_BUY")
    desk.place("BUY", "0.1", side_effect="AUTO_REPAY")
    assert desk.violations() == ["exit_beyond_position"]


def test_stop_that_triggers_after_the_exit_is_a_double_exit(desk: Desk) -> None:
    desk.place("SELL", "0.05", side_effect="MARGIN_BUY")
    desk.place("BUY", "0.05006", type="STOP_LOSS", stop_price="61000", side_effect="AUTO_REPAY")
    desk.place("BUY", "0.05006", side_effect="AUTO_REPAY")
    desk.price("61000")
    assert desk.violations() == ["double_exit"]


def test_exit_after_the_owner_closed_by_hand_is_a_double_exit() -> None:
    fresh = _with_base_collateral()
    fresh.place("BUY", "0.1")
    fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY", by_hand=True)
    fresh.place("SELL", "0.0999", side_effect="AUTO_REPAY")
    assert fresh.violations() == ["oversold", "double_exit"]


def test_what_the_owner_does_by_hand_is_never_a_violation() -> None:
    fresh = _with_base_collateral()
    fresh.place("SELL", "1", by_hand=True)
    fresh.place("BUY", "3", side_effect="MARGIN_BUY", by_hand=True)
    assert fresh.violations() == []


def test_two_exits_of_one_half_each_are_clean(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    desk.place("SELL", "0.05", side_effect="AUTO_REPAY")
    desk.place("SELL", "0.0499", side_effect="AUTO_REPAY")
    assert desk.violations() == []


def test_new_position_after_an_exit_may_be_exited_again(desk: Desk) -> None:
    for _ in range(3):
        desk.place("BUY", "0.05")
        desk.place("SELL", "0.04995", side_effect="AUTO_REPAY")
    assert desk.violations() == []


def test_exits_of_an_earlier_position_do_not_count_against_a_later_one() -> None:
    fresh = _with_base_collateral()
    fresh.place("BUY", "0.05")
    fresh.place("SELL", "0.04995", side_effect="AUTO_REPAY")
    fresh.place("BUY", "0.05")
    fresh.place("SELL", "0.1", side_effect="AUTO_REPAY")
    assert fresh.violations() == ["oversold"]


def test_leftover_debt_is_reported_without_being_a_violation(desk: Desk) -> None:
    desk.place("SELL", "0.05", side_effect="MARGIN_BUY")
    desk.place("BUY", "0.05", side_effect="AUTO_REPAY")
    told = reports.ledger(desk.exchange)
    assert told["violations"] == []
    assert [(one["symbol"], one["base"]["borrowed"]) for one in told["leftover_debts"]] == [
        (BTC, "0.00005000")
    ]


def test_violation_names_the_order_and_the_quantities() -> None:
    fresh = _with_base_collateral()
    order = fresh.place("SELL", "0.2", side_effect="AUTO_REPAY", client_order_id="culprit")
    told = reports.ledger(fresh.exchange)["violations"][0]
    assert (told["order_id"], told["client_order_id"], told["symbol"]) == (order.order_id, "culprit", BTC)
    assert (told["before"], told["after"]) == ("0.00000000", "-0.20000000")
