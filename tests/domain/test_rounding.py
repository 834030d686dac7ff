from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.factories import symbol_rules
from trading.domain.rounding import (
    align_stop,
    ceil_to_step,
    floor_market_quantity,
    floor_to_step,
    market_step,
    to_wire,
)
from trading.domain.types import Side

VALUES = st.decimals(min_value=-(10**9), max_value=10**9, places=10)
STEPS = st.sampled_from(
    [Decimal(s) for s in ("0.00000001", "0.00001", "0.01", "0.05", "0.25", "1", "10", "1E+2")]
)


@given(value=VALUES, step=STEPS)
def test_floor_is_the_nearest_multiple_that_is_not_above(value: Decimal, step: Decimal) -> None:
    floored = floor_to_step(value, step)
    assert floored % step == 0
    assert floored <= value < floored + step


@given(value=VALUES, step=STEPS)
def test_ceil_is_the_nearest_multiple_that_is_not_below(value: Decimal, step: Decimal) -> None:
    raised = ceil_to_step(value, step)
    assert raised % step == 0
    assert raised - step < value <= raised


@given(value=VALUES)
def test_a_step_of_zero_is_a_filter_that_is_switched_off(value: Decimal) -> None:
    assert floor_to_step(value, Decimal(0)) == value
    assert ceil_to_step(value, Decimal("0.00000000")) == value


def test_a_quantity_from_a_division_loses_its_endless_digits() -> None:
    assert to_wire(floor_to_step(Decimal(1) / Decimal(3), Decimal("0.00001"))) == "0.33333"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_what_is_not_a_number_is_never_rounded_nor_written(value: Decimal) -> None:
    for refuse in (
        lambda: floor_to_step(value, Decimal(1)),
        lambda: ceil_to_step(value, Decimal(1)),
        lambda: floor_to_step(Decimal(1), value),
        lambda: align_stop(Side.LONG, value, Decimal(0)),
        lambda: to_wire(value),
    ):
        with pytest.raises(ValueError, match="not a finite number"):
            refuse()


def test_a_negative_step_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        floor_to_step(Decimal(1), Decimal("-0.1"))


@given(stop=st.decimals(min_value=1, max_value=10**6, places=8), step=STEPS.filter(lambda s: s <= 1))
def test_a_stop_is_aligned_to_the_tick_away_from_the_position(stop: Decimal, step: Decimal) -> None:
    assert stop - step < align_stop(Side.LONG, stop, step) <= stop
    assert stop <= align_stop(Side.SHORT, stop, step) < stop + step


def test_a_stop_that_would_align_to_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="not above zero"):
        align_stop(Side.LONG, Decimal("0.004"), Decimal("0.01"))
    assert align_stop(Side.SHORT, Decimal("0.004"), Decimal("0.01")) == Decimal("0.01")


def test_a_market_order_keeps_the_coarser_of_both_lot_filters() -> None:
    rules = replace(symbol_rules(), lot_step=Decimal("0.001"), market_lot_step=Decimal(0))
    assert market_step(rules) == Decimal("0.001")
    assert floor_market_quantity(Decimal("1.2345"), rules) == Decimal("1.234")
    coarse = replace(rules, market_lot_step=Decimal("0.1"))
    assert floor_market_quantity(Decimal("1.2345"), coarse) == Decimal("1.2")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E-5", "0.00001"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("100.500", "100.5"),
        ("0.00000000", "0"),
        ("-0.00", "0"),
        ("-1.10", "-1.1"),
        ("61583.22000000", "61583.22"),
    ],
)
def test_numbers_are_written_in_fixed_point(value: str, text: str) -> None:
    assert to_wire(Decimal(value)) == text


@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_writing_loses_nothing_and_never_uses_an_exponent(value: Decimal) -> None:
    text = to_wire(value)
    assert set(text) <= set("-0123456789.")
    assert Decimal(text) == value
