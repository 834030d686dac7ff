"""The book against the pure function: whatever happens, in whatever order, both say the same."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.walks import seeded_walk
from trading.domain.trailing import TrailingStop, on_price, standing_stop, trailing_from_entry
from trading.domain.trailing_book import TrailingBook
from trading.domain.types import Side

# Few different prices, so that touches, equal extremes and equal stops are the rule and not the exception.
PRICES = st.integers(90, 110).map(Decimal)


@st.composite
def stops(draw: st.DrawFn) -> TrailingStop:
    side = draw(st.sampled_from(Side))
    absolute = draw(st.booleans())
    extreme = draw(st.none() | PRICES)
    return TrailingStop(
        side=side,
        distance=Decimal(draw(st.integers(1, 12))) if absolute else None,
        offset_bps=None if absolute else draw(st.sampled_from([50, 100, 500, 1000])),
        activation=draw(st.none() | PRICES),
        extreme=extreme,
        stop=draw(st.none() | PRICES),
        last_time_ms=draw(st.integers(0, 12)),
        fired=draw(st.sampled_from([False] * 9 + [True])),
    )


ADD = st.tuples(st.just("add"), st.integers(0, 5), stops())
REMOVE = st.tuples(st.just("remove"), st.integers(0, 5), st.none())
TICK = st.tuples(st.just("tick"), st.integers(-1, 2), PRICES | st.sampled_from([Decimal(0), Decimal("NaN")]))
EVENTS = st.lists(ADD | REMOVE | TICK | TICK | TICK, max_size=40)


class Model:
    """The same interface, on one `TrailingStop` per key and the pure function."""

    def __init__(self) -> None:
        self.stops: dict[str, TrailingStop] = {}
        self.time_ms = 0

    def add(self, key: str, stop: TrailingStop) -> None:
        self.stops[key] = replace(stop, last_time_ms=max(stop.last_time_ms, self.time_ms))

    def on_price(self, price: Decimal, time_ms: int) -> set[str]:
        if time_ms < self.time_ms or not price.is_finite() or price <= 0:
            return set()
        self.time_ms = time_ms
        before = {key for key, stop in self.stops.items() if stop.fired}
        self.stops = {key: on_price(stop, price, time_ms).next for key, stop in self.stops.items()}
        return {key for key, stop in self.stops.items() if stop.fired} - before

    def snapshot(self) -> dict[str, TrailingStop]:
        return {
            key: stop if stop.fired else replace(stop, stop=standing_stop(stop))
            for key, stop in self.stops.items()
        }


@settings(max_examples=250, deadline=None)
@given(events=EVENTS)
def test_the_book_equals_the_pure_function_for_every_stop(events: list[tuple[str, int, Any]]) -> None:
    book, model, now = TrailingBook(), Model(), 5
    for kind, number, value in events:
        key = str(number)
        if kind == "add" and key not in book:
            book.add(key, value)
            model.add(key, value)
        elif kind == "remove" and key in book:
            assert book.remove(key) == model.snapshot()[key]
            del model.stops[key]
        elif kind == "tick":
            now += number
            fired = book.on_price(value, now)
            assert len(fired) == len(set(fired))
            assert set(fired) == model.on_price(value, now)
        assert book.snapshot() == model.snapshot()


@pytest.mark.parametrize("seed", range(3))
def test_a_crowded_book_equals_the_pure_function_on_a_long_walk(seed: int) -> None:
    book, model = TrailingBook(), Model()
    for index, price in enumerate(seeded_walk(seed, 1200)):
        if index % 20 == 0:
            side = Side.LONG if index % 40 else Side.SHORT
            stop = trailing_from_entry(side, Decimal(40 + index * 7 % 900), price, index)
            if index % 60 == 0:
                stop = TrailingStop(side, offset_bps=20 + index % 170, last_time_ms=index)
            book.add(str(index), stop)
            model.add(str(index), stop)
        assert set(book.on_price(price, index)) == model.on_price(price, index)
    assert book.snapshot() == model.snapshot()
    assert any(stop.fired for stop in book.snapshot().values())
    assert not all(stop.fired for stop in book.snapshot().values())


def test_a_key_is_watched_once_until_it_is_removed() -> None:
    book = TrailingBook()
    stop = trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 0)
    book.add("a", stop)
    with pytest.raises(ValueError, match="already watched"):
        book.add("a", stop)
    book.remove("a")
    assert "a" not in book
    assert len(book) == 0
    with pytest.raises(KeyError):
        book.remove("a")


def test_a_stop_fires_once_and_stays_in_the_book_as_fired() -> None:
    book = TrailingBook()
    book.add("a", trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 0))
    assert book.on_price(Decimal(98), 1) == ["a"]
    assert book.on_price(Decimal(97), 2) == []
    assert book["a"].fired
    assert book["a"].last_time_ms == 2


def test_a_stop_from_the_future_of_the_book_ignores_prices_from_before_it() -> None:
    book = TrailingBook()
    book.on_price(Decimal(100), 10)
    book.add("a", trailing_from_entry(Side.LONG, Decimal(2), Decimal(100), 20))
    assert book.on_price(Decimal(90), 19) == []
    assert book.on_price(Decimal(90), 20) == ["a"]
