from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.factories import candle
from trading.domain.stops import (
    NotEnoughCandles,
    StopDistanceOutOfRange,
    StopKind,
    StopPolicy,
    average_true_range,
    is_touched,
    safety_stop,
    stop_distance,
)
from trading.domain.types import Side

ENTRY = Decimal(60_000)
# Ranges 1, 2, 3, ... around a close that never moves, so that every true range is high - low.
WIDENING = [candle(i, "100", high=100 + Decimal(i) / 2, low=100 - Decimal(i) / 2) for i in range(30)]


def test_the_default_stop_is_two_percent_of_the_entry_price() -> None:
    assert stop_distance(StopPolicy(), ENTRY) == Decimal(1200)


def test_an_absolute_distance_is_taken_as_it_is() -> None:
    assert stop_distance(StopPolicy(StopKind.DISTANCE, Decimal("777.7")), ENTRY) == Decimal("777.7")


@pytest.mark.parametrize("value", ["60", "6000"])
def test_a_tenth_of_a_percent_and_ten_percent_are_still_allowed(value: str) -> None:
    assert stop_distance(StopPolicy(StopKind.DISTANCE, Decimal(value)), ENTRY) == Decimal(value)


@pytest.mark.parametrize("value", ["59.99", "6000.01"])
def test_a_stop_too_close_or_too_far_is_refused_with_the_limits(value: str) -> None:
    with pytest.raises(StopDistanceOutOfRange, match=r"between 60 \(0\.1 %\) and 6000 \(10 %\)"):
        stop_distance(StopPolicy(StopKind.DISTANCE, Decimal(value)), ENTRY)


def test_wilders_first_average_is_the_plain_mean() -> None:
    assert average_true_range(WIDENING[:15]) == Decimal("7.5")


def test_wilders_later_averages_are_smoothed_and_not_a_moving_window() -> None:
    assert average_true_range(WIDENING[:16]) == (Decimal("7.5") * 13 + 15) / 14


def test_the_true_range_reaches_back_to_the_previous_close() -> None:
    quiet = [candle(i, "100", high="101", low="99") for i in range(14)]
    gap_up = candle(14, "111", high="112", low="110")
    assert average_true_range([*quiet, gap_up]) == Decimal(13 * 2 + 12) / 14
    gap_down = candle(14, "89", high="90", low="88")
    assert average_true_range([*quiet, gap_down]) == Decimal(13 * 2 + 12) / 14


def test_the_atr_policy_multiplies_the_average_true_range() -> None:
    policy = StopPolicy(StopKind.ATR, Decimal("0.5"))
    assert stop_distance(policy, Decimal(100), WIDENING[:15]) == Decimal("3.75")


def test_a_market_that_does_not_move_gives_no_atr_stop() -> None:
    flat = [candle(i, "100") for i in range(20)]
    with pytest.raises(StopDistanceOutOfRange):
        stop_distance(StopPolicy(StopKind.ATR, Decimal(2)), Decimal(100), flat)


def test_too_few_closed_candles_are_counted_in_the_error() -> None:
    policy = StopPolicy(StopKind.ATR, Decimal(1))
    assert policy.candles_needed == 15
    still_open = replace(WIDENING[14], closed=False)
    with pytest.raises(NotEnoughCandles, match="needs 15 closed candles, there are 14"):
        stop_distance(policy, Decimal(100), [*WIDENING[:14], still_open])


def test_candles_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="oldest first"):
        average_true_range(WIDENING[::-1])
    with pytest.raises(ValueError, match="each once"):
        average_true_range([WIDENING[0], *WIDENING[:20]])


@given(bars=st.lists(st.tuples(*[st.integers(1, 10_000)] * 3), min_size=15, max_size=60))
def test_atr_agrees_with_an_exact_closed_form(bars: list[tuple[int, int, int]]) -> None:
    candles = [
        candle(i, Decimal(bar[0]), high=Decimal(max(bar)), low=Decimal(min(bar)))
        for i, bar in enumerate(bars)
    ]
    assert abs(Fraction(average_true_range(candles)) - exact_atr(bars)) < Fraction(1, 10**18)


def exact_atr(bars: list[tuple[int, int, int]]) -> Fraction:
    """Wilder's recursion written out as one weighted sum."""
    ranges = [
        max(max(bar) - min(bar), abs(max(bar) - before[0]), abs(min(bar) - before[0]))
        for before, bar in pairwise(bars)
    ]
    keep = Fraction(13, 14)
    later = ranges[14:]
    smoothed = sum((Fraction(r, 14) * keep ** (len(later) - 1 - i) for i, r in enumerate(later)), Fraction(0))
    return Fraction(sum(ranges[:14]), 14) * keep ** len(later) + smoothed


@pytest.mark.parametrize(("side", "stop"), [(Side.LONG, "58800"), (Side.SHORT, "61200")])
def test_the_safety_stop_is_two_percent_from_the_entry(side: Side, stop: str) -> None:
    assert safety_stop(side, ENTRY) == Decimal(stop)


def test_the_safety_stop_is_touched_at_its_price_and_not_before() -> None:
    assert is_touched(Side.LONG, Decimal(58_800), Decimal(58_800))
    assert not is_touched(Side.LONG, Decimal(58_800), Decimal("58800.01"))
    assert is_touched(Side.SHORT, Decimal(61_200), Decimal(61_200))
    assert not is_touched(Side.SHORT, Decimal(61_200), Decimal("61199.99"))


@pytest.mark.parametrize("entry", ["0", "-1", "NaN", "Infinity"])
def test_an_entry_price_that_is_no_price_gives_no_stop(entry: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        safety_stop(Side.LONG, Decimal(entry))
    with pytest.raises(ValueError, match="above zero"):
        stop_distance(StopPolicy(), Decimal(entry))


@pytest.mark.parametrize("value", ["0", "-2", "NaN"])
def test_a_policy_without_a_distance_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        StopPolicy(StopKind.PERCENT, Decimal(value))


@pytest.mark.parametrize("percent", ["0", "100", "-1"])
def test_a_safety_stop_outside_the_price_range_is_refused(percent: str) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        safety_stop(Side.LONG, ENTRY, Decimal(percent))
