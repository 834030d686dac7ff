from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.factories import candle
from tests.domain.walks import seeded_walk
from trading.domain.crossover import CrossoverDetector, Signal
from trading.domain.types import Side

# Averages of 2 over 4: below while falling, above after the jump of candle number 6.
CROSSING_UP = ["100", "99", "98", "97", "96", "95", "110", "111"]
CROSSES_AT = 6


def detector(**changes: Any) -> CrossoverDetector:
    settings = {
        "position_id": "7",
        "symbol": "BTCUSDT",
        "side": Side.LONG,
        "interval": "1m",
        "fast": 2,
        "slow": 4,
    }
    return CrossoverDetector(**{**settings, **changes})


def feed(watcher: CrossoverDetector, closes: list[str], *, start: int = 0) -> list[Signal | None]:
    return [watcher.on_candle(candle(start + i, close)) for i, close in enumerate(closes)]


def fired_at(signals: list[Signal | None]) -> list[int]:
    return [index for index, signal in enumerate(signals) if signal]


def test_long_fires_when_the_fast_average_crosses_above() -> None:
    signals = feed(detector(), CROSSING_UP)
    assert fired_at(signals) == [CROSSES_AT]
    assert signals[CROSSES_AT] == Signal(
        id="7:419999",
        symbol="BTCUSDT",
        side=Side.LONG,
        candle_close_time_ms=419_999,
        price=Decimal(110),
        fast=Decimal("102.5"),
        slow=Decimal("99.5"),
    )


def test_short_is_the_mirror() -> None:
    mirrored = [str(200 - int(close)) for close in CROSSING_UP]
    assert fired_at(feed(detector(side=Side.SHORT), mirrored)) == [CROSSES_AT]
    assert fired_at(feed(detector(), mirrored)) == []


def test_an_average_that_is_already_above_is_not_a_crossing() -> None:
    assert fired_at(feed(detector(), ["100", "101", "102", "103", "104", "105"])) == []


def test_touching_is_not_crossing_but_leaving_the_touch_is() -> None:
    flat = ["100"] * 6
    assert fired_at(feed(detector(), flat)) == []
    assert fired_at(feed(detector(), [*flat, "100.00000001"])) == [6]


def test_it_needs_one_full_evaluation_before_it_can_fire() -> None:
    watcher = detector()
    # The fourth candle makes both averages known for the first time, with fast above slow already.
    assert fired_at(feed(watcher, ["90", "80", "100", "120"])) == []
    assert watcher.ready
    assert fired_at(feed(watcher, ["60", "50", "200"], start=4)) == [2]


def test_it_fires_once() -> None:
    watcher = detector()
    feed(watcher, CROSSING_UP)
    assert watcher.fired
    assert not watcher.ready
    assert fired_at(feed(watcher, CROSSING_UP, start=len(CROSSING_UP))) == []


def test_an_open_candle_changes_nothing() -> None:
    watcher = detector()
    feed(watcher, CROSSING_UP[:CROSSES_AT])
    assert watcher.on_candle(candle(CROSSES_AT, "500", closed=False)) is None
    assert watcher.on_candle(candle(CROSSES_AT, CROSSING_UP[CROSSES_AT])) is not None


def test_duplicates_and_older_candles_change_nothing() -> None:
    watcher = detector()
    feed(watcher, CROSSING_UP[:CROSSES_AT])
    for index in (CROSSES_AT - 1, 0, 3):
        assert watcher.on_candle(candle(index, "500")) is None
    assert not watcher.gap
    assert watcher.on_candle(candle(CROSSES_AT, CROSSING_UP[CROSSES_AT])) is not None


def test_a_replayed_signal_has_the_same_id() -> None:
    first, again = feed(detector(), CROSSING_UP), feed(detector(), CROSSING_UP)
    assert first == again
    other = feed(detector(position_id="8"), CROSSING_UP)[CROSSES_AT]
    assert other is not None
    assert other.id == "8:419999"


def test_a_missing_candle_starts_the_evaluation_afresh_and_says_so() -> None:
    watcher = detector()
    feed(watcher, CROSSING_UP[:CROSSES_AT])
    assert watcher.on_candle(candle(CROSSES_AT + 1, "110")) is None
    assert (watcher.gap, watcher.ready) == (True, False)
    assert fired_at(feed(watcher, ["109", "108", "107"], start=CROSSES_AT + 2)) == []
    assert (watcher.gap, watcher.ready) == (False, True)
    assert watcher.on_candle(candle(CROSSES_AT + 5, "150")) is not None


def test_a_crossover_from_before_arming_only_warms_up() -> None:
    closes_at = candle(CROSSES_AT, "1").close_time_ms
    assert fired_at(feed(detector(armed_ms=closes_at), CROSSING_UP)) == []
    assert fired_at(feed(detector(armed_ms=closes_at - 1), CROSSING_UP)) == [CROSSES_AT]
    watcher = detector(armed_ms=closes_at)
    assert fired_at(feed(watcher, [*CROSSING_UP, "60", "50", "40", "200"])) == [11]


def test_a_candle_of_another_market_is_refused() -> None:
    for stranger in (replace(candle(0, "1"), symbol="ETHUSDT"), replace(candle(0, "1"), interval="5m")):
        with pytest.raises(ValueError, match="was given"):
            detector().on_candle(stranger)


@pytest.mark.parametrize(("fast", "slow"), [(0, 5), (5, 5), (9, 3), (-1, 4)])
def test_averages_that_cannot_cross_are_refused(fast: int, slow: int) -> None:
    with pytest.raises(ValueError, match="shorter"):
        detector(fast=fast, slow=slow)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("side", Side)
def test_it_agrees_with_averages_recomputed_from_scratch(seed: int, side: Side) -> None:
    prices = seeded_walk(seed, 400)
    watcher = detector(side=side, fast=9, slow=21)
    assert fired_at(feed(watcher, [str(price) for price in prices])) == first_crossing(prices, side, 9, 21)


@given(
    prices=st.lists(st.integers(98, 102), min_size=5, max_size=40),
    fast=st.integers(1, 3),
    more=st.integers(1, 4),
    side=st.sampled_from(Side),
)
def test_it_agrees_with_the_oracle_where_averages_are_often_equal(
    prices: list[int], fast: int, more: int, side: Side
) -> None:
    closes = [Decimal(price) / 3 for price in prices]
    exact = [close.quantize(Decimal("0.00000001")) for close in closes]
    watcher = detector(side=side, fast=fast, slow=fast + more)
    assert fired_at(feed(watcher, [str(close) for close in exact])) == first_crossing(
        exact, side, fast, fast + more
    )


def first_crossing(prices: list[Decimal], side: Side, fast: int, slow: int) -> list[int]:
    """The first crossing, from averages in fractions that are recomputed for every candle."""
    exact = [Fraction(price) if side is Side.LONG else -Fraction(price) for price in prices]
    lead = {
        i: sum(exact[i + 1 - fast : i + 1]) / fast - sum(exact[i + 1 - slow : i + 1]) / slow
        for i in range(slow - 1, len(exact))
    }
    return [i for i in lead if i - 1 in lead and lead[i - 1] <= 0 < lead[i]][:1]
