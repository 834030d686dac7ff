from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.walks import Fired, fire_naively, seeded_walk
from trading.domain.trailing import (
    Step,
    TrailingStop,
    is_better,
    is_touched,
    on_price,
    stop_for,
    trailing_from_entry,
)
from trading.domain.types import Side

PRICES = st.lists(st.decimals(min_value="0.01", max_value=200, places=2), min_size=1, max_size=60)
DISTANCES = st.decimals(min_value="0.01", max_value=50, places=2)
SIDES = st.sampled_from(Side)


def run(stop: TrailingStop, prices: list[Decimal]) -> list[Step]:
    """Feed prices one millisecond apart, from the stop's own time on."""
    steps = []
    for index, price in enumerate(prices):
        steps.append(on_price(stop, price, stop.last_time_ms + min(index, 1)))
        stop = steps[-1].next
    return steps


def offsets() -> st.SearchStrategy[TrailingStop]:
    by_distance = st.builds(TrailingStop, side=SIDES, distance=DISTANCES)
    by_bps = st.builds(TrailingStop, side=SIDES, offset_bps=st.integers(10, 3000))
    return by_distance | by_bps


@pytest.mark.parametrize(
    ("start", "extreme", "fires_at"),
    [
        (TrailingStop(Side.SHORT, offset_bps=500, activation=Decimal(44_000)), "42000", "44100"),
        (TrailingStop(Side.LONG, offset_bps=1000, activation=Decimal(39_000)), "41000", "36900"),
        (TrailingStop(Side.SHORT, offset_bps=850, activation=Decimal(38_000)), "37000", "40145"),
        (TrailingStop(Side.LONG, offset_bps=750, activation=Decimal(42_000)), "46500", "43012.5"),
        (TrailingStop(Side.LONG, offset_bps=700), "45500", "42315"),
    ],
)
def test_binances_published_trailing_scenarios(start: TrailingStop, extreme: str, fires_at: str) -> None:
    towards_position = Decimal("0.01") if start.side is Side.LONG else Decimal("-0.01")
    prices = [Decimal(extreme), Decimal(fires_at) + towards_position, Decimal(fires_at)]
    if start.activation is not None:
        prices = [start.activation - towards_position, start.activation, *prices]
    *before, last = run(start, prices)
    assert not any(step.fired for step in before)
    assert last.fired
    assert last.next.stop == Decimal(fires_at)
    assert last.next.extreme == Decimal(extreme)


@pytest.mark.parametrize(("side", "against"), [(Side.LONG, "30000"), (Side.SHORT, "60000")])
def test_nothing_fires_before_the_activation_price(side: Side, against: str) -> None:
    stop = TrailingStop(side, offset_bps=500, activation=Decimal(45000))
    step = run(stop, [Decimal(against)])[0]
    assert not step.fired
    assert not step.moved
    assert step.next.extreme is None
    assert step.next.stop is None


def test_the_activation_price_itself_activates_and_becomes_the_first_extreme() -> None:
    for side in Side:
        step = run(TrailingStop(side, offset_bps=500, activation=Decimal(45000)), [Decimal(45000)])[0]
        assert step.next.extreme == Decimal(45000)
        assert step.moved
        assert not step.fired


def test_a_stop_given_from_the_start_is_enforced_before_activation() -> None:
    stop = TrailingStop(Side.LONG, distance=Decimal(5), activation=Decimal(110), stop=Decimal(98))
    assert run(stop, [Decimal(99), Decimal(98)])[-1].fired


def test_a_stop_given_from_the_start_is_not_loosened_by_the_first_price() -> None:
    step = run(TrailingStop(Side.LONG, distance=Decimal(5), stop=Decimal(98)), [Decimal(100)])[0]
    assert step.next.extreme == Decimal(100)
    assert step.next.stop == Decimal(98)
    assert not step.moved


@pytest.mark.parametrize("stored", [None, Decimal(90)])
def test_an_extreme_is_enforced_even_if_its_stop_was_not_stored(stored: Decimal | None) -> None:
    stop = TrailingStop(Side.LONG, distance=Decimal(5), extreme=Decimal(100), stop=stored)
    step = run(stop, [Decimal(96)])[0]
    assert (step.next.stop, step.moved, step.fired) == (Decimal(95), True, False)
    assert run(stop, [Decimal(95)])[0].fired


def test_a_touch_counts_and_one_tick_away_does_not() -> None:
    long = trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 0)
    assert not run(long, [Decimal("98.01")])[0].fired
    assert run(long, [Decimal(98)])[0].fired
    short = trailing_from_entry(Side.SHORT, Decimal(2), Decimal(100), 0)
    assert not run(short, [Decimal("101.99")])[0].fired
    assert run(short, [Decimal(102)])[0].fired


def test_the_entry_price_is_the_first_extreme() -> None:
    stop = trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 7)
    assert (stop.extreme, stop.stop, stop.last_time_ms) == (Decimal(100), Decimal(98), 7)
    assert run(stop, [Decimal("99.5")])[0].next.extreme == Decimal(100)


def test_once_fired_it_stays_fired_and_frozen() -> None:
    steps = run(
        trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 0), [Decimal(97), Decimal(150), Decimal(99)]
    )
    assert [step.fired for step in steps] == [True, True, True]
    assert steps[-1].next.extreme == Decimal(100)
    assert steps[-1].next.stop == Decimal(98)


def test_a_price_older_than_the_last_one_is_dropped() -> None:
    stop = trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 1000)
    for price in (Decimal(50), Decimal(200)):
        step = on_price(stop, price, 999)
        assert step == Step(stop, fired=False, moved=False, dropped=True)


def test_a_price_of_the_same_millisecond_is_accepted() -> None:
    stop = trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 1000)
    assert on_price(stop, Decimal(98), 1000).fired


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "-Infinity"])
def test_a_price_that_is_no_price_is_dropped(price: str) -> None:
    for side in Side:
        stop = trailing_from_entry(side, Decimal(2), Decimal(100), 1000)
        step = on_price(stop, Decimal(price), 1001)
        assert step == Step(stop, fired=False, moved=False, dropped=True)


def test_a_dropped_price_does_not_hide_that_the_stop_has_fired() -> None:
    fired = on_price(trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 0), Decimal(90), 5).next
    step = on_price(fired, Decimal(101), 4)
    assert step.dropped
    assert step.fired


@pytest.mark.parametrize(
    ("distance", "bps"), [(None, None), ("1", 100), ("0", None), ("-1", None), (None, 0), (None, 10_000)]
)
def test_a_stop_that_could_never_work_is_refused(distance: str | None, bps: int | None) -> None:
    with pytest.raises(ValueError):
        TrailingStop(Side.LONG, distance=Decimal(distance) if distance else None, offset_bps=bps)


@given(stop=offsets(), prices=PRICES)
def test_it_never_loosens(stop: TrailingStop, prices: list[Decimal]) -> None:
    steps = run(stop, prices)
    for before, after in pairwise(steps):
        assert before.next.stop is not None
        assert after.next.stop is not None
        assert not is_better(stop.side, before.next.stop, after.next.stop)
        assert after.moved == (after.next.stop != before.next.stop)


@given(stop=offsets(), prices=PRICES)
def test_the_price_that_fires_is_never_better_than_the_stop(
    stop: TrailingStop, prices: list[Decimal]
) -> None:
    for step, price in zip(run(stop, prices), prices, strict=True):
        if step.fired:
            assert step.next.stop is not None
            assert not is_better(stop.side, price, step.next.stop)
            return


@given(distance=DISTANCES, prices=PRICES)
def test_a_short_is_the_mirror_of_a_long(distance: Decimal, prices: list[Decimal]) -> None:
    mirror = Decimal(500)
    longs = run(TrailingStop(Side.LONG, distance=distance), prices)
    shorts = run(TrailingStop(Side.SHORT, distance=distance), [mirror - price for price in prices])
    for long, short in zip(longs, shorts, strict=True):
        assert (long.fired, long.moved) == (short.fired, short.moved)
        assert long.next.stop is not None
        assert short.next.stop == mirror - long.next.stop


@given(stop=offsets(), prices=PRICES, late=st.lists(st.tuples(st.integers(0, 59), PRICES), max_size=5))
def test_late_prices_change_nothing(
    stop: TrailingStop, prices: list[Decimal], late: list[tuple[int, list[Decimal]]]
) -> None:
    clean, noisy = stop, stop
    stragglers = dict(late)
    for index, price in enumerate(prices):
        clean = on_price(clean, price, 10 + index).next
        noisy = on_price(noisy, price, 10 + index).next
        for stray in stragglers.get(index, []):
            assert on_price(noisy, stray, 9 + index).next == noisy
    assert clean == noisy


@given(stop=offsets(), extreme=st.decimals(min_value=1, max_value=10**6, places=8))
def test_the_stop_lies_on_the_losing_side_of_its_extreme(stop: TrailingStop, extreme: Decimal) -> None:
    price = stop_for(stop, extreme)
    assert is_better(stop.side, extreme, price)
    assert not is_touched(stop.side, price, extreme)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "offset",
    [{"distance": Decimal(120)}, {"distance": Decimal(900)}, {"offset_bps": 25}, {"offset_bps": 150}],
)
def test_it_agrees_with_a_naive_oracle_on_thousands_of_prices(
    seed: int, side: Side, offset: dict[str, Decimal | int]
) -> None:
    prices = seeded_walk(seed, 3000)
    start = TrailingStop(side, **offset)  # type: ignore[arg-type]  # one of the two, with its own type
    expected = fire_naively(start, prices)
    assert first_firing(start, prices) == expected
    pre_armed = replace(start, activation=prices[0] + (200 if side is Side.LONG else -200))
    assert first_firing(pre_armed, prices) == fire_naively(pre_armed, prices)


def first_firing(stop: TrailingStop, prices: list[Decimal]) -> Fired:
    for index, price in enumerate(prices):
        step = on_price(stop, price, index)
        stop = step.next
        if step.fired:
            return Fired(index, stop.stop)
    return Fired(None, stop.stop)
