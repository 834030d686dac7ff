from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.domain.factories import margin_pair, own_trade, symbol_rules
from trading.domain.episodes import Episode, derive_episode, is_dust
from trading.domain.types import OrderSide, OwnTrade, Side

BUY, SELL = OrderSide.BUY, OrderSide.SELL
RULES = symbol_rules(lot_step="0.001", min_quantity="0.001", min_notional="5")
PRICE = Decimal(100)


def derive(trades: list[OwnTrade], pair: Any, **more: Any) -> Episode | None:
    return derive_episode(trades, pair, RULES, **{"price": PRICE, **more})


def found(trades: list[OwnTrade], pair: Any, **more: Any) -> Episode:
    episode = derive(trades, pair, **more)
    assert episode is not None
    return episode


def test_a_bought_position_is_long_at_its_average_price() -> None:
    trades = [own_trade(1, BUY, "1", "100"), own_trade(2, BUY, "3", "104")]
    assert found(trades, margin_pair(base_total="4")) == Episode(
        side=Side.LONG,
        quantity=Decimal(4),
        entry_price=Decimal(103),
        provisional=False,
        collateral=Decimal(0),
        opened_ms=1000,
        first_trade_id=1,
        last_trade_id=2,
    )


def test_a_borrowed_and_sold_position_is_short_at_its_average_price() -> None:
    trades = [own_trade(1, SELL, "1", "100"), own_trade(2, SELL, "1", "98")]
    episode = found(trades, margin_pair(base_total="0", base_debt="2"))
    assert (episode.side, episode.quantity, episode.entry_price) == (Side.SHORT, Decimal(2), Decimal(99))
    assert not episode.provisional


def test_base_coins_that_no_trade_explains_are_collateral_and_not_a_position() -> None:
    assert derive([], margin_pair(base_total="5")) is None
    episode = found([own_trade(1, BUY, "1", "100")], margin_pair(base_total="6"))
    assert (episode.quantity, episode.collateral) == (Decimal(1), Decimal(5))


def test_a_quote_balance_is_not_a_position() -> None:
    assert derive([], margin_pair(base_total="0")) is None


def test_commission_in_the_base_asset_leaves_less_to_sell() -> None:
    trades = [own_trade(1, BUY, "1", "100", commission="0.001", commission_asset="BTC")]
    episode = found(trades, margin_pair(base_total="0.999"))
    assert (episode.quantity, episode.entry_price, episode.collateral) == (
        Decimal("0.999"),
        PRICE,
        Decimal(0),
    )


def test_commission_in_another_asset_does_not() -> None:
    trades = [own_trade(1, BUY, "1", "100", commission="0.5", commission_asset="BNB")]
    assert found(trades, margin_pair(base_total="1")).quantity == 1


def test_selling_a_part_leaves_the_entry_price_where_it_was() -> None:
    trades = [own_trade(1, BUY, "1", "100"), own_trade(2, BUY, "1", "110"), own_trade(3, SELL, "1.5", "200")]
    episode = found(trades, margin_pair(base_total="0.5"))
    assert (episode.quantity, episode.entry_price, episode.first_trade_id) == (
        Decimal("0.5"),
        Decimal(105),
        1,
    )


def test_buying_more_after_selling_a_part_weighs_what_is_still_held() -> None:
    trades = [own_trade(1, BUY, "2", "100"), own_trade(2, SELL, "1", "150"), own_trade(3, BUY, "1", "110")]
    assert found(trades, margin_pair(base_total="2")).entry_price == Decimal(105)


def test_a_closed_position_is_none_and_the_next_one_starts_afresh() -> None:
    closed = [own_trade(1, BUY, "1", "100"), own_trade(2, SELL, "1", "120")]
    assert derive(closed, margin_pair(base_total="0")) is None
    episode = found([*closed, own_trade(3, BUY, "1", "150")], margin_pair(base_total="1"))
    assert (episode.entry_price, episode.first_trade_id, episode.opened_ms) == (Decimal(150), 3, 3000)


def test_a_flip_through_zero_starts_a_new_episode_with_the_remainder() -> None:
    trades = [own_trade(1, BUY, "1", "100"), own_trade(2, SELL, "3", "120")]
    episode = found(trades, margin_pair(base_total="0", base_debt="2"))
    assert (episode.side, episode.quantity, episode.entry_price) == (Side.SHORT, Decimal(2), Decimal(120))
    assert episode.first_trade_id == 2
    back = found([*trades, own_trade(3, BUY, "3", "90")], margin_pair(base_total="1"))
    assert (back.side, back.quantity, back.entry_price) == (Side.LONG, Decimal(1), Decimal(90))


def test_dust_left_by_an_exit_does_not_carry_its_price_into_the_next_position() -> None:
    left_a_little = [own_trade(1, BUY, "1", "100"), own_trade(2, SELL, "0.96", "100")]
    assert derive(left_a_little, margin_pair(base_total="0.04")) is None
    episode = found([*left_a_little, own_trade(3, BUY, "0.06", "200")], margin_pair(base_total="0.1"))
    assert (episode.quantity, episode.entry_price, episode.first_trade_id) == (
        Decimal("0.1"),
        Decimal(200),
        3,
    )


def test_less_than_a_lot_or_the_minimum_notional_is_dust() -> None:
    assert derive([own_trade(1, BUY, "1", "100")], margin_pair(base_total="0.0009")) is None
    trades = [own_trade(1, BUY, "0.05", "100")]
    assert derive(trades, margin_pair(base_total="0.05")) is not None
    assert derive(trades, margin_pair(base_total="0.05"), price=Decimal("99.99")) is None


def test_what_a_lot_step_cuts_off_does_not_count_towards_the_minimum_notional() -> None:
    assert is_dust(Decimal("0.0509"), RULES, Decimal(99))
    assert not is_dust(Decimal("0.0509"), RULES, Decimal(100))
    assert is_dust(Decimal("0.9"), replace(RULES, min_quantity=Decimal(1)), Decimal(10**6))
    assert is_dust(Decimal(0), replace(RULES, lot_step=Decimal(0), min_notional=Decimal(0)), PRICE)


def test_base_coins_sent_away_make_the_position_smaller() -> None:
    episode = found([own_trade(1, BUY, "2", "100")], margin_pair(base_total="1.5"))
    assert (episode.quantity, episode.entry_price, episode.collateral) == (Decimal("1.5"), PRICE, Decimal(0))


def test_interest_makes_a_short_larger_and_not_another_position() -> None:
    trades = [own_trade(1, SELL, "1", "100")]
    episode = found(trades, margin_pair(base_total="0", base_debt="1", base_interest="0.02"))
    assert (episode.quantity, episode.entry_price, episode.provisional) == (Decimal("1.02"), PRICE, False)


def test_a_debt_that_no_trade_explains_is_a_provisional_short() -> None:
    episode = found([], margin_pair(base_total="0.5", base_debt="1.5"))
    assert episode == Episode(Side.SHORT, Decimal(1), None, True, Decimal(0), None, None, None)


def test_trades_that_explain_the_smaller_part_of_a_debt_give_no_entry_price() -> None:
    trades = [own_trade(1, SELL, "0.4", "100")]
    assert found(trades, margin_pair(base_total="0", base_debt="1")).provisional
    assert not found(trades, margin_pair(base_total="0", base_debt="0.8")).provisional


def test_a_sale_covered_by_base_collateral_is_not_a_short() -> None:
    trades = [own_trade(1, SELL, "1", "100")]
    assert derive(trades, margin_pair(base_total="2", base_debt="1")) is None


def test_repaid_interest_does_not_age_the_next_long() -> None:
    short_and_back = [own_trade(1, SELL, "10", "100"), own_trade(2, BUY, "10.1", "90")]
    assert derive(short_and_back, margin_pair(base_total="0")) is None
    episode = found([*short_and_back, own_trade(3, BUY, "1", "120")], margin_pair(base_total="1"))
    assert (episode.entry_price, episode.first_trade_id) == (Decimal(120), 3)


def test_trades_may_come_twice_and_in_any_order() -> None:
    trades = [own_trade(1, BUY, "1", "100"), own_trade(2, SELL, "1", "120"), own_trade(3, BUY, "2", "130")]
    shuffled = [trades[2], trades[0], trades[2], trades[1], trades[0]]
    pair = margin_pair(base_total="2")
    assert derive(shuffled, pair) == derive(trades, pair)


def test_trades_of_another_symbol_are_refused() -> None:
    stranger = replace(own_trade(1, BUY, "1", "100"), symbol="ETHUSDT")
    with pytest.raises(ValueError, match="ETHUSDT"):
        derive([stranger], margin_pair(base_total="1"))


CORE_LONG = own_trade(1, BUY, "1", "100", order_id="core", commission="0.001", commission_asset="BTC")
CORES = {"excluding_order_ids": frozenset({"core"}), "owned_quantity": Decimal("0.999")}


def test_what_core_owns_is_not_manual() -> None:
    assert derive([CORE_LONG], margin_pair(base_total="0.999"), **CORES) is None


def test_what_the_owner_bought_beside_core_is_manual_at_his_own_price() -> None:
    trades = [CORE_LONG, own_trade(2, BUY, "0.5", "120")]
    episode = found(trades, margin_pair(base_total="1.499"), **CORES)
    assert (episode.quantity, episode.entry_price, episode.collateral) == (
        Decimal("0.5"),
        Decimal(120),
        Decimal(0),
    )
    assert episode.first_trade_id == 2


def test_selling_out_of_cores_long_by_hand_is_not_a_short() -> None:
    trades = [CORE_LONG, own_trade(2, SELL, "0.6", "120")]
    assert derive(trades, margin_pair(base_total="0.399"), **CORES) is None
    assert (
        derive([CORE_LONG, own_trade(2, SELL, "0.999", "120")], margin_pair(base_total="0"), **CORES) is None
    )


def test_selling_more_than_all_of_cores_long_is_a_short_of_what_is_owed() -> None:
    trades = [CORE_LONG, own_trade(2, SELL, "2", "120")]
    episode = found(trades, margin_pair(base_total="0", base_debt="1.001"), **CORES)
    assert (episode.side, episode.quantity, episode.entry_price) == (
        Side.SHORT,
        Decimal("1.001"),
        Decimal(120),
    )


def test_a_closed_core_position_leaves_the_owners_next_one_whole() -> None:
    trades = [
        own_trade(1, BUY, "1", "100", order_id="core"),
        own_trade(2, SELL, "0.6", "120"),
        own_trade(3, SELL, "0.4", "120", order_id="core-exit"),
        own_trade(4, BUY, "1", "130"),
    ]
    episode = found(trades, margin_pair(base_total="1"))
    assert (episode.quantity, episode.entry_price, episode.first_trade_id) == (Decimal(1), Decimal(130), 4)


def test_interest_on_cores_short_is_not_a_manual_short() -> None:
    trades = [own_trade(1, SELL, "1", "100", order_id="core")]
    short = {"excluding_order_ids": {"core"}, "owned_quantity": Decimal(-1)}
    assert derive(trades, margin_pair(base_total="0", base_debt="1", base_interest="0.07"), **short) is None
    with_own = [*trades, own_trade(2, SELL, "0.5", "90")]
    pair = margin_pair(base_total="0", base_debt="1.5", base_interest="0.07")
    episode = found(with_own, pair, **short)
    assert (episode.quantity, episode.entry_price) == (Decimal("0.5"), Decimal(90))


def test_a_debt_well_beyond_cores_short_is_provisional() -> None:
    short = {"excluding_order_ids": {"core"}, "owned_quantity": Decimal(-1)}
    episode = found([], margin_pair(base_total="0", base_debt="1.5"), **short)
    assert (episode.quantity, episode.provisional) == (Decimal("0.5"), True)
