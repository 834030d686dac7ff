from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from tests.domain.factories import symbol_rules
from trading.domain.sizing import TooSmall, position_size
from trading.domain.types import Side, SymbolRules

SIZES = st.fixed_dictionaries(
    {
        "side": st.sampled_from(Side),
        "capital": st.decimals(min_value=1, max_value=10**6, places=2),
        "risk": st.decimals(min_value="0.0001", max_value=1, places=4),
        "entry": st.decimals(min_value="0.01", max_value=10**5, places=4),
        "share": st.decimals(min_value="0.001", max_value="0.1", places=6),
        "fee_rate": st.decimals(min_value=0, max_value="0.01", places=5),
        "lot_step": st.sampled_from(["0.00000001", "0.00001", "0.01", "1"]),
    }
)


def arguments(**changes: Any) -> dict[str, Any]:
    return {
        "side": Side.LONG,
        "capital": Decimal(10_000),
        "risk": Decimal("0.01"),
        "entry": Decimal(60_000),
        "distance": Decimal(1200),
        "fee_rate": Decimal("0.001"),
        "rules": symbol_rules(),
        **changes,
    }


def drawn(size: dict[str, Any]) -> dict[str, Any]:
    kept = {name: size[name] for name in ("side", "capital", "risk", "entry", "fee_rate")}
    rules = symbol_rules(lot_step=size["lot_step"], min_quantity=size["lot_step"])
    return {**kept, "distance": size["entry"] * size["share"], "rules": rules}


def with_limit(limit: str, value: str) -> SymbolRules:
    changes: dict[str, Any] = {limit: Decimal(value)}
    return replace(symbol_rules(), **changes)


def test_the_quantity_is_risk_over_loss_per_unit_floored_to_the_lot() -> None:
    # 10,000 x 1 % = 100; per unit 1,200 + 0.1 % of (60,000 + 58,800) = 1,318.8; 100 / 1,318.8 = 0.0758265...
    assert position_size(**arguments()) == Decimal("0.07582")


def test_a_short_pays_its_exit_fee_on_the_higher_stop() -> None:
    # 1,200 + 0.1 % of (60,000 + 61,200) = 1,321.2; 100 / 1,321.2 = 0.0756887...
    assert position_size(**arguments(side=Side.SHORT)) == Decimal("0.07568")


def test_the_capital_caps_the_quantity_at_no_leverage() -> None:
    assert position_size(**arguments(risk=Decimal("0.5"))) == Decimal("0.16666")


@pytest.mark.parametrize("limit", ["max_quantity", "market_max_quantity"])
def test_one_market_order_must_be_able_to_carry_it(limit: str) -> None:
    rules = with_limit(limit, "0.05")
    assert position_size(**arguments(rules=rules)) == Decimal("0.05")
    assert position_size(**arguments(rules=with_limit(limit, "0"))) == Decimal("0.07582")


def test_the_market_lot_step_is_kept_too() -> None:
    rules = replace(symbol_rules(), market_lot_step=Decimal("0.01"))
    assert position_size(**arguments(rules=rules)) == Decimal("0.07")


def test_too_little_risk_says_what_to_raise_in_numbers() -> None:
    with pytest.raises(TooSmall) as refusal:
        position_size(**arguments(capital=Decimal(100), risk=Decimal("0.001")))
    assert str(refusal.value) == (
        "0.00007 BTC is too small: BTCUSDT needs at least 0.0001, so that it can be closed at the stop price "
        "58800 (minimum quantity 0.00001, minimum notional 5 USDT); "
        "raise the capital from 100 to 131.88 USDT, or the risk from 0.1 % to 0.14 %"
    )


def test_too_little_capital_does_not_advise_more_risk() -> None:
    with pytest.raises(TooSmall) as refusal:
        position_size(**arguments(capital=Decimal(3)))
    assert refusal.value.risk_needed is None
    assert "risk from" not in str(refusal.value)


def test_what_is_enough_at_the_entry_but_not_at_the_stop_is_too_small() -> None:
    # 0.1 x 50 = 5.00 at the entry, 4.90 at the stop: it could be bought and never be sold.
    just_enough = arguments(
        capital=Decimal(5),
        risk=Decimal(1),
        entry=Decimal(50),
        distance=Decimal(1),
        fee_rate=Decimal(0),
        rules=symbol_rules(lot_step="0.1", min_quantity="0.1"),
    )
    with pytest.raises(TooSmall, match="at the stop price 49 "):
        position_size(**just_enough)
    assert position_size(**{**just_enough, "side": Side.SHORT}) == Decimal("0.1")


def test_a_long_whose_entry_fee_leaves_too_little_to_sell_is_too_small() -> None:
    # One lot of 1 less 0.1 % commission in the base asset is 0.999: nothing a market order could sell.
    one_lot = arguments(
        capital=Decimal(10),
        risk=Decimal(1),
        entry=Decimal(10),
        distance=Decimal(1),
        rules=symbol_rules(lot_step="1", min_quantity="1"),
    )
    with pytest.raises(TooSmall, match="needs at least 2,"):
        position_size(**one_lot)
    assert position_size(**{**one_lot, "side": Side.SHORT}) == 1


def test_the_minimum_quantity_is_kept_when_no_notional_is_asked_for() -> None:
    rules = symbol_rules(min_quantity="0.1", min_notional="0")
    with pytest.raises(TooSmall, match=r"needs at least 0\.10011, "):
        position_size(**arguments(rules=rules))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"capital": Decimal(0)},
        {"entry": Decimal(-1)},
        {"risk": Decimal(0)},
        {"risk": Decimal("1.01")},
        {"distance": Decimal(0)},
        {"distance": Decimal(60_000)},
        {"fee_rate": Decimal(-1)},
        {"fee_rate": Decimal(1)},
    ],
)
def test_nonsense_is_refused_and_not_called_too_small(nonsense: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError) as refusal:
        position_size(**arguments(**nonsense))
    assert not isinstance(refusal.value, TooSmall)


def test_rounding_inside_the_division_never_adds_a_lot() -> None:
    # 9 x distance has 29 digits; the risk is its first 28, so 9 lots would lose 1e-27 more than allowed.
    asked = arguments(
        capital=Decimal("111.1111101111111110111111111"),
        risk=Decimal("0.1"),
        entry=Decimal(10),
        distance=Decimal("1.234567890123456789012345679"),
        fee_rate=Decimal(0),
        rules=symbol_rules(lot_step="1", min_quantity="1", min_notional="0"),
    )
    assert position_size(**asked) == 8


@given(size=SIZES)
@example(
    size={
        "side": Side.LONG,
        "capital": Decimal("100"),
        "risk": Decimal("0.03"),
        "entry": Decimal("10"),
        "share": Decimal("0.1"),
        "fee_rate": Decimal(0),
        "lot_step": "1",
    }
)
def test_the_loss_at_the_stop_never_exceeds_the_risk_nor_the_cost_the_capital(size: dict[str, Any]) -> None:
    asked = drawn(size)
    try:
        quantity = Fraction(position_size(**asked))
    except TooSmall:
        reject()
    entry, distance, fee = (Fraction(asked[name]) for name in ("entry", "distance", "fee_rate"))
    stop = entry - distance if asked["side"] is Side.LONG else entry + distance
    loss = quantity * (distance + fee * entry + fee * stop)
    assert loss <= Fraction(asked["capital"]) * Fraction(asked["risk"])
    assert quantity * entry <= Fraction(asked["capital"])
    sellable = quantity * (1 - fee) if asked["side"] is Side.LONG else quantity
    assert (
        sellable // Fraction(asked["rules"].lot_step) * Fraction(asked["rules"].lot_step) * min(entry, stop)
        >= 5
    )
    assert quantity % Fraction(asked["rules"].lot_step) == 0


@given(size=SIZES)
def test_one_lot_more_would_break_a_limit(size: dict[str, Any]) -> None:
    asked = drawn(size)
    rules = replace(asked["rules"], max_quantity=Decimal(0), market_max_quantity=Decimal(0))
    try:
        more = position_size(**{**asked, "rules": rules}) + rules.lot_step
    except TooSmall:
        reject()
    stop = (
        asked["entry"] - asked["distance"]
        if asked["side"] is Side.LONG
        else asked["entry"] + asked["distance"]
    )
    loss = more * (asked["distance"] + asked["fee_rate"] * (asked["entry"] + stop))
    assert loss > asked["capital"] * asked["risk"] or more * asked["entry"] > asked["capital"]


@given(size=SIZES)
def test_following_the_advice_is_enough(size: dict[str, Any]) -> None:
    rules = replace(drawn(size)["rules"], max_quantity=Decimal(0), market_max_quantity=Decimal(0))
    asked = {**drawn(size), "capital": size["capital"] / 1000, "rules": rules}
    assume(asked["capital"] > 0)
    refusal = refused(asked)
    if refusal is None:
        reject()
    assert position_size(**{**asked, "capital": refusal.capital_needed}) > 0
    if refusal.risk_needed is not None:
        assert position_size(**{**asked, "risk": refusal.risk_needed}) > 0


def refused(asked: dict[str, Any]) -> TooSmall | None:
    try:
        position_size(**asked)
    except TooSmall as refusal:
        return refusal
    return None
