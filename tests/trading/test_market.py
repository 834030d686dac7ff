"""What watches the market: every price of a symbol, whatever its source, through the same function."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.consumer.market import Market
from trading.consumer.watched import EntryWatch, StopWatch
from trading.domain.crossover import CrossoverDetector, Signal
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import on_price
from trading.domain.types import Candle, Side, Tick, Venue
from trading.models import Account, Position, Slot

SYMBOL = "BTCUSDT"


class Heard:
    """A market, and what it asked for."""

    def __init__(self) -> None:
        self.stops: list[tuple[int, Decimal]] = []
        self.signals: list[Signal] = []
        self.gaps: list[EntryWatch] = []
        self.market = Market(
            on_stop=lambda watch, tick: self.stops.append((watch.position.pk, tick.price)),
            on_signal=lambda _watch, signal: self.signals.append(signal),
            on_gap=self.gaps.append,
        )

    def add_stop(self, watch: StopWatch, *replayed: Tick, held_back: tuple[Tick, ...] = ()) -> None:
        self.market.expect(SYMBOL)
        for tick in held_back:
            self.market.on_tick(tick)
        self.market.add_stop(watch, replayed)
        self.market.loaded(SYMBOL)

    def tell(self, *prices: int, since_ms: int = 1) -> None:
        for offset, price in enumerate(prices):
            self.market.on_tick(tick(price, since_ms + offset))


def position(side: Side = Side.LONG, *, key: int = 1, entry: int = 100, distance: int = 5) -> Position:
    slot = Slot(account=Account(name="main"), venue=Venue.ISOLATED_MARGIN, symbol=SYMBOL, side=side)
    sign = 1 if side is Side.LONG else -1
    return Position(
        pk=key,
        slot=slot,
        state=PositionState.ACTIVE,
        entry_price=Decimal(entry),
        extreme_price=Decimal(entry),
        distance=Decimal(distance),
        stop_price=Decimal(entry - sign * distance),
    )


def tick(price: int, time_ms: int) -> Tick:
    return Tick(SYMBOL, Decimal(price), time_ms)


def test_touch_asks_for_an_exit_once() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    heard.tell(99, 95, 94, 99)
    assert heard.stops == [(1, Decimal(95))]


def test_price_older_than_the_last_one_is_dropped_whatever_it_says() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    heard.market.on_tick(tick(99, 10))
    heard.market.on_tick(tick(50, 9))
    assert heard.stops == []
    assert heard.market.symbols[SYMBOL].dropped == 1


@pytest.mark.parametrize("price", [0, -5])
def test_impossible_price_touches_no_stop(price: int) -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    heard.market.on_tick(tick(price, 5))
    assert heard.stops == []
    heard.tell(95, since_ms=6)
    assert len(heard.stops) == 1


def test_price_of_an_unwatched_symbol_is_nothing() -> None:
    heard = Heard()
    heard.market.on_tick(tick(1, 1))
    assert heard.market.symbols == {}


def test_replay_finds_the_peak_and_the_touch_behind_it() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()), tick(120, 1), tick(114, 2), tick(130, 3))
    assert heard.stops == [(1, Decimal(114))]


def test_replay_and_live_prices_are_merged_by_their_time() -> None:
    """The touch came over the stream while the present price was being asked for."""
    heard = Heard()
    heard.add_stop(StopWatch(position()), tick(120, 1), tick(118, 5), held_back=(tick(114, 3), tick(117, 6)))
    assert heard.stops == [(1, Decimal(114))]


def test_watch_that_was_loaded_twice_still_exits_once_per_position() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    heard.add_stop(StopWatch(position(Side.SHORT, key=2)))
    heard.tell(95)
    assert heard.stops == [(1, Decimal(95))]
    heard.tell(105, since_ms=2)
    assert heard.stops == [(1, Decimal(95)), (2, Decimal(105))]


def test_progress_is_given_once_and_announced_by_a_tenth_of_the_distance() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position(distance=100, entry=1000)))
    heard.tell(1005)
    (first,) = heard.market.take_progress()
    assert (first.extreme, first.stop) == (Decimal(1005), Decimal(905))
    assert (first.time_ms, first.announced) == (1, None)
    assert heard.market.take_progress() == []
    heard.tell(1004, 1012, since_ms=2)
    (second,) = heard.market.take_progress()
    assert (second.stop, second.announced) == (Decimal(912), Decimal(900))


def test_positions_that_need_no_watch_are_forgotten_with_their_symbol() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    assert heard.market.streams() == ["btcusdt@trade"]
    heard.market.keep_only({1})
    assert heard.market.streams() == ["btcusdt@trade"]
    heard.market.keep_only(set())
    assert heard.market.streams() == []
    heard.tell(1)
    assert heard.stops == []


PRICES = st.lists(st.tuples(st.integers(85, 115), st.integers(-1, 2)), max_size=60)


@settings(deadline=None)
@given(PRICES, st.sampled_from(list(Side)), st.integers(0, 20))
def test_watched_stop_is_the_stop_of_the_pure_function(
    prices: list[tuple[int, int]], side: Side, replayed: int
) -> None:
    """Whatever part of the prices is replayed, and however out of order the rest comes in."""
    ticks, now = [], 10
    for price, step in prices:
        now += step
        ticks.append(tick(price, now))
    in_order = [
        one for index, one in enumerate(ticks) if one.time_ms >= max(t.time_ms for t in ticks[: index + 1])
    ]
    heard = Heard()
    watch = StopWatch(position(side))
    expected = watch.stop
    fired: list[tuple[int, Decimal]] = []
    for one in in_order:
        if not expected.fired:
            step_taken = on_price(expected, one.price, one.time_ms)
            expected = step_taken.next
            fired += [(1, one.price)] if step_taken.fired else []
    first = [one for one in ticks[:replayed] if one in in_order]
    heard.add_stop(watch, *first)
    for one in ticks[replayed:]:
        heard.market.on_tick(one)
    list(heard.market.symbols[SYMBOL].look())
    assert heard.stops == fired
    assert (watch.stop.extreme, watch.stop.stop) == (expected.extreme, expected.stop)


def candle(index: int, close: int, *, closed: bool = True) -> Candle:
    price = Decimal(close)
    return Candle(
        SYMBOL, "1m", index * 60_000, index * 60_000 + 59_999, price, price, price, price, Decimal(1), closed
    )


def entry_watch() -> EntryWatch:
    detector = CrossoverDetector(
        position_id="1", symbol=SYMBOL, side=Side.LONG, interval="1m", fast=1, slow=2
    )
    return EntryWatch(position(), detector)


def test_detector_that_is_warm_fires_on_the_first_live_candle_that_crosses() -> None:
    heard = Heard()
    heard.market.expect(SYMBOL)
    heard.market.add_entry(entry_watch(), [candle(0, 100), candle(1, 90)])
    heard.market.loaded(SYMBOL)
    assert heard.market.streams() == ["btcusdt@trade", "btcusdt@kline_1m"]
    heard.market.on_candle(candle(2, 120, closed=False))
    assert heard.signals == []
    heard.market.on_candle(candle(2, 120))
    heard.market.on_candle(candle(2, 120))
    assert [signal.id for signal in heard.signals] == ["1:179999"]


def test_prices_of_stops_come_before_other_prices_and_those_before_candles() -> None:
    heard = Heard()
    for symbol in ("AUSDT", "ZUSDT", SYMBOL):
        heard.market.expect(symbol)
    heard.market.add_stop(StopWatch(position()))
    heard.market.add_entry(entry_watch())
    assert heard.market.streams() == ["btcusdt@trade", "ausdt@trade", "zusdt@trade", "btcusdt@kline_1m"]


def test_missing_candle_takes_the_watch_off_until_it_is_loaded_again() -> None:
    heard = Heard()
    heard.market.expect(SYMBOL)
    watch = entry_watch()
    heard.market.add_entry(watch, [candle(0, 100), candle(1, 90)])
    heard.market.loaded(SYMBOL)
    heard.market.on_candle(candle(3, 120))
    assert heard.gaps == [watch]
    heard.market.on_candle(candle(4, 150))
    assert heard.signals == []


def test_a_stop_that_is_loaded_again_takes_the_place_of_the_old_one() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    heard.tell(90)
    heard.add_stop(StopWatch(position()))
    heard.tell(90, since_ms=10)
    assert heard.stops == [(1, Decimal(90)), (1, Decimal(90))]


def test_stop_as_it_was_saved_stands_while_its_past_is_being_asked_for() -> None:
    heard = Heard()
    watch = StopWatch(position())
    heard.market.expect(SYMBOL)
    heard.market.stand(watch)
    heard.market.on_tick(tick(96, 10))
    heard.market.on_tick(tick(95, 11))
    heard.market.on_tick(tick(94, 12))
    assert heard.stops == [(1, Decimal(95))]
    heard.market.add_stop(StopWatch(watch.position), [tick(120, 9)])
    heard.market.loaded(SYMBOL)
    heard.tell(93, since_ms=13)
    assert len(heard.stops) == 1, "it is being exited already"


def test_a_stop_touched_while_its_past_is_asked_for_again_and_again_exits_once() -> None:
    heard = Heard()
    heard.market.expect(SYMBOL)
    for time_ms in (10, 20, 30):
        heard.market.stand(StopWatch(position()))
        heard.market.on_tick(tick(95, time_ms))
    assert heard.stops == [(1, Decimal(95))]


@pytest.mark.parametrize("side", list(Side))
def test_a_stop_that_is_loaded_again_keeps_the_peak_that_only_the_stream_has_shown(side: Side) -> None:
    heard = Heard()
    loaded = position(side)
    heard.add_stop(StopWatch(loaded))
    best, stop = (110, 105) if side is Side.LONG else (90, 95)
    heard.tell(best)
    heard.add_stop(StopWatch(loaded))
    (watch,) = heard.market.symbols[SYMBOL].look()
    assert watch.stop.extreme == best
    assert watch.stop.stop == stop


def test_an_answer_owed_to_a_position_that_ended_does_not_keep_the_next_one_from_being_saved() -> None:
    heard = Heard()
    heard.add_stop(StopWatch(position()))
    armed = entry_watch()
    armed.position.pk = 2
    heard.market.add_entry(armed)
    heard.tell(100)
    heard.market.fall_behind()
    heard.market.catch_up(SYMBOL, [], whole=False)
    heard.market.keep_only({2})
    assert heard.market.fall_behind() == {}
    heard.add_stop(StopWatch(position(key=2)))
    heard.tell(110, since_ms=10)
    assert [progress.extreme for progress in heard.market.take_progress()] == [110]


def test_stop_whose_position_ended_before_its_past_was_known_stands_no_longer() -> None:
    heard = Heard()
    heard.market.expect(SYMBOL)
    heard.market.stand(StopWatch(position()))
    heard.market.keep_only(set())
    heard.tell(90)
    assert heard.stops == []
