"""Prices that a stream did not bring: whatever the interruption, the stop is what it would have been."""

import itertools
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading.consumer.market import Market
from trading.consumer.watched import OWED_FOR_MS, EntryWatch, StopWatch
from trading.domain.crossover import Signal
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import TrailingStop, on_price
from trading.domain.types import Side, Tick, Venue
from trading.gaps import TRADES_GAP_MS
from trading.models import Account, Position, Slot

SYMBOL = "BTCUSDT"
ENTRY, DISTANCE = Decimal(1_000), Decimal(50)


def watch_of(side: Side) -> StopWatch:
    """The watch of a position that is in no database."""
    slot = Slot(account=Account(name="main"), venue=Venue.ISOLATED_MARGIN, symbol=SYMBOL, side=side)
    stop = ENTRY - DISTANCE if side is Side.LONG else ENTRY + DISTANCE
    position = Position(
        pk=1, slot=slot, state=PositionState.ACTIVE, quantity=Decimal(1), entry_price=ENTRY,
        distance=DISTANCE, stop_price=stop, extreme_price=ENTRY, extreme_time_ms=0,
    )  # fmt: skip
    return StopWatch(position)


class Recorder:
    """A market with one stop, and the price that each exit was asked for at."""

    def __init__(self, side: Side) -> None:
        self.fired: list[Tick] = []
        self.watch = watch_of(side)
        self.market = Market(on_stop=self._stopped, on_signal=self._signalled, on_gap=self._gap)
        self.market.expect(SYMBOL)
        self.market.add_stop(self.watch)
        self.market.loaded(SYMBOL)

    def _stopped(self, _watch: StopWatch, tick: Tick) -> None:
        self.fired.append(tick)

    def _signalled(self, _watch: EntryWatch, _signal: Signal) -> None:
        raise AssertionError("nothing is armed")

    def _gap(self, _watch: EntryWatch) -> None:
        raise AssertionError("nothing is armed")

    @property
    def stop(self) -> TrailingStop:
        (watch,) = self.market.symbols[SYMBOL].look()
        return watch.stop


def oracle(side: Side, ticks: Sequence[Tick]) -> tuple[list[Tick], Decimal | None]:
    """The pure function over the whole ordered series."""
    stop = watch_of(side).stop
    for tick in ticks:
        step = on_price(stop, tick.price, tick.time_ms)
        stop = step.next
        if step.fired:
            return [tick], stop.stop
    return [], stop.stop


def series(prices: Sequence[int]) -> list[Tick]:
    return [Tick(SYMBOL, Decimal(price), 1_000 + 10 * number) for number, price in enumerate(prices)]


some_prices = st.lists(st.integers(930, 1_120), min_size=2, max_size=40)
sides = st.sampled_from(list(Side))


@given(prices=some_prices, side=sides, data=st.data())
def test_a_reconnect_gives_the_stop_of_an_uninterrupted_stream(
    prices: list[int], side: Side, data: st.DataObject
) -> None:
    ticks = series(prices)
    lost = data.draw(st.integers(1, len(ticks) - 1))
    back = data.draw(st.integers(lost, len(ticks)))
    overlap = data.draw(st.integers(0, back))
    recorder = Recorder(side)
    for tick in ticks[:lost]:
        recorder.market.on_tick(tick)
    assert recorder.market.fall_behind() == {SYMBOL: ticks[lost - 1].time_ms}
    # The new connection delivers from `back` on while the list of trades, up to some later one, is fetched.
    arriving = ticks[back:]
    for tick in arriving:
        recorder.market.on_tick(tick)
    recorder.market.catch_up(SYMBOL, ticks[lost - min(overlap, lost) :])
    check(recorder, oracle(side, ticks), arriving)


@given(prices=some_prices, side=sides, data=st.data())
def test_an_answer_that_comes_late_gives_the_stop_of_an_uninterrupted_stream(
    prices: list[int], side: Side, data: st.DataObject
) -> None:
    ticks = series(prices)
    lost = data.draw(st.integers(1, len(ticks) - 1))
    back = data.draw(st.integers(lost, len(ticks)))
    released = data.draw(st.integers(back, len(ticks)))
    answered = data.draw(st.integers(back, len(ticks)))
    recorder = Recorder(side)
    for tick in ticks[:lost]:
        recorder.market.on_tick(tick)
    recorder.market.fall_behind()
    for tick in ticks[back:released]:
        recorder.market.on_tick(tick)
    recorder.market.catch_up(SYMBOL, [], whole=False)
    for tick in ticks[released:]:
        recorder.market.on_tick(tick)
    recorder.market.catch_up(SYMBOL, ticks[lost:answered])
    found = oracle(side, ticks)
    assert len(recorder.fired) <= 1
    if not found[0] or any(tick == found[0][0] for tick in ticks[:answered]):
        # A stop that should have been tighter when a price came is the one thing that cannot be made up for.
        check(recorder, found, ticks[back:])


@given(prices=some_prices, side=sides, data=st.data())
def test_a_second_gap_before_the_answer_about_the_first_gives_the_stop_of_an_uninterrupted_stream(
    prices: list[int], side: Side, data: st.DataObject
) -> None:
    """Whether the second answer comes in time or late as well."""
    ticks = series(prices)
    lost, back, lost_again, back_again = sorted(data.draw(st.integers(1, len(ticks))) for _ in range(4))
    released = data.draw(st.integers(back_again, len(ticks)))
    recorder = Recorder(side)
    for tick in ticks[:lost]:
        recorder.market.on_tick(tick)
    recorder.market.fall_behind()
    recorder.market.catch_up(SYMBOL, [], whole=False)
    for tick in ticks[back:lost_again]:
        recorder.market.on_tick(tick)
    assert recorder.market.fall_behind() == {SYMBOL: ticks[lost - 1].time_ms}
    for tick in ticks[back_again:released]:
        recorder.market.on_tick(tick)
    if data.draw(st.booleans()):
        recorder.market.catch_up(SYMBOL, [], whole=False)
    for tick in ticks[released:]:
        recorder.market.on_tick(tick)
    recorder.market.catch_up(SYMBOL, ticks[lost:])
    check(recorder, oracle(side, ticks), [*ticks[back:lost_again], *ticks[back_again:]])
    assert recorder.fired or recorder.market.fall_behind() == {SYMBOL: ticks[-1].time_ms}


def check(recorder: Recorder, expected: tuple[list[Tick], Decimal | None], live: Sequence[Tick]) -> None:
    """Fired or not as it should; a price of the stream that touches the stop does not wait for its turn."""
    fired, stop = expected
    if not fired:
        assert (recorder.fired, recorder.stop.stop) == (fired, stop)
        return
    (acted,) = recorder.fired
    assert acted in [*fired, *(tick for tick in live if tick.time_ms >= fired[0].time_ms)]


@given(prices=some_prices, side=sides, data=st.data())
def test_any_mixture_of_stream_and_rest_gives_the_stop_of_the_ordered_series(
    prices: list[int], side: Side, data: st.DataObject
) -> None:
    """REST brings every trade up to some moment; the stream brings the same ones late, twice or never."""
    ticks = series(prices)
    recorder = Recorder(side)
    done = 0
    while done < len(ticks):
        if data.draw(st.booleans()):
            recorder.market.on_tick(ticks[done])
            done += 1
        else:
            upto = data.draw(st.integers(done + 1, len(ticks)))
            for tick in ticks[max(done - 2, 0) : upto]:
                recorder.market.on_tick(tick)
            late = data.draw(st.integers(0, upto - 1))
            recorder.market.on_tick(ticks[late])
            done = upto
    assert (recorder.fired, recorder.stop.stop) == oracle(side, ticks)


@given(
    prices=some_prices, gaps=st.lists(st.integers(0, 2), min_size=40, max_size=40), side=sides, data=st.data()
)
def test_two_connections_that_bring_every_trade_give_the_stop_of_one(
    prices: list[int], gaps: list[int], side: Side, data: st.DataObject
) -> None:
    """One takes over from the other. Trades of one millisecond are told apart by their ids."""
    times = itertools.accumulate(gaps, initial=1_000)
    ticks = [Tick(SYMBOL, Decimal(price), next(times), number) for number, price in enumerate(prices, 1)]
    recorder, left = Recorder(side), [list(ticks), list(ticks)]
    while any(left):
        connection = data.draw(st.sampled_from([each for each in left if each]))
        recorder.market.on_tick(connection.pop(0))
    assert (recorder.fired, recorder.stop.stop) == oracle(side, ticks)


def test_a_symbol_that_was_quiet_since_it_was_loaded_falls_behind_too() -> None:
    recorder = Recorder(Side.LONG)
    replayed, touch, recovered = series([1_000, 940, 1_010])
    recorder.market.expect(SYMBOL)
    recorder.market.add_stop(watch_of(Side.LONG), [replayed])
    recorder.market.loaded(SYMBOL)
    assert recorder.market.fall_behind() == {SYMBOL: replayed.time_ms}
    recorder.market.on_tick(recovered)
    recorder.market.catch_up(SYMBOL, [touch, recovered])
    assert recorder.fired == [touch]


def test_an_older_price_never_acts() -> None:
    recorder = Recorder(Side.LONG)
    recorder.market.on_tick(Tick(SYMBOL, Decimal(1_100), 2_000))
    recorder.market.on_tick(Tick(SYMBOL, Decimal(900), 1_999))
    assert not recorder.fired
    assert recorder.market.symbols[SYMBOL].dropped == 1


def test_a_stop_touched_during_the_gap_fires_once_although_the_price_has_recovered() -> None:
    recorder = Recorder(Side.LONG)
    first, touch, recovered = series([1_000, 940, 1_010])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.on_tick(recovered)
    recorder.market.catch_up(SYMBOL, [touch, recovered])
    assert recorder.fired == [touch]


def test_when_the_exchange_cannot_be_asked_the_held_prices_count() -> None:
    recorder = Recorder(Side.LONG)
    first, touch = series([1_000, 940])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.on_tick(touch)
    recorder.market.catch_up(SYMBOL, [])
    assert recorder.fired == [touch]


def test_a_price_that_touches_the_stop_is_not_held_back() -> None:
    recorder = Recorder(Side.LONG)
    first, touch, lower = series([1_000, 950, 940])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.on_tick(touch)
    recorder.market.on_tick(lower)
    assert recorder.fired == [touch]
    recorder.market.catch_up(SYMBOL, [])
    assert recorder.fired == [touch]


def test_a_load_that_ends_meanwhile_loses_no_price_that_is_held_back() -> None:
    recorder = Recorder(Side.LONG)
    first, peak, touch = series([1_000, 1_100, 1_040])
    recorder.market.on_tick(first)
    recorder.market.expect(SYMBOL)
    recorder.market.fall_behind()
    recorder.market.on_tick(peak)
    recorder.market.on_tick(touch)
    recorder.market.loaded(SYMBOL)
    recorder.market.catch_up(SYMBOL, [])
    assert recorder.fired == [touch]


def test_a_second_reconnect_falls_behind_from_where_the_first_did() -> None:
    recorder = Recorder(Side.LONG)
    first, second = series([1_000, 1_010])
    recorder.market.on_tick(first)
    assert recorder.market.fall_behind() == {SYMBOL: first.time_ms}
    recorder.market.on_tick(second)
    assert recorder.market.fall_behind() == {SYMBOL: first.time_ms}


def test_a_peak_in_a_gap_that_is_still_owed_raises_the_stop_after_the_next_gap() -> None:
    recorder = Recorder(Side.LONG)
    first, peak, back, later = series([1_000, 1_100, 1_070, 1_072])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.on_tick(back)
    recorder.market.catch_up(SYMBOL, [], whole=False)
    recorder.market.fall_behind()
    recorder.market.on_tick(later)
    recorder.market.catch_up(SYMBOL, [peak, back, later])
    assert (recorder.fired, recorder.stop.stop) == ([], Decimal(1_050))


def test_a_price_that_touches_the_present_stop_does_not_wait_although_an_older_gap_is_owed() -> None:
    recorder = Recorder(Side.LONG)
    first, peak, touch = series([1_000, 1_100, 1_040])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.catch_up(SYMBOL, [], whole=False)
    recorder.market.on_tick(peak)
    recorder.market.fall_behind()
    recorder.market.on_tick(touch)
    assert recorder.fired == [touch]


def test_a_new_peak_does_not_judge_the_lower_prices_before_it() -> None:
    recorder = Recorder(Side.LONG)
    first, back, low, peak = series([1_000, 1_010, 1_005, 1_100])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.on_tick(back)
    recorder.market.catch_up(SYMBOL, [], whole=False)
    recorder.market.fall_behind()
    recorder.market.on_tick(peak)
    recorder.market.catch_up(SYMBOL, [back, low, peak])
    assert (recorder.fired, recorder.stop.stop) == ([], Decimal(1_050))


def test_a_gap_that_is_owed_for_long_does_not_blur_the_next_one() -> None:
    """Both together would be told by candles."""
    recorder = Recorder(Side.LONG)
    first, last = (Tick(SYMBOL, Decimal(1_000), time_ms) for time_ms in (1_000, 1_001 + OWED_FOR_MS))
    recorder.market.on_tick(first)
    assert recorder.market.fall_behind() == {SYMBOL: first.time_ms}
    recorder.market.catch_up(SYMBOL, [], whole=False)
    recorder.market.on_tick(last)
    assert recorder.market.fall_behind() == {SYMBOL: last.time_ms}
    assert OWED_FOR_MS < TRADES_GAP_MS


def test_what_is_owed_to_stops_that_are_gone_is_not_asked_for() -> None:
    recorder = Recorder(Side.LONG)
    first, second = series([1_000, 1_010])
    recorder.market.on_tick(first)
    recorder.market.fall_behind()
    recorder.market.catch_up(SYMBOL, [], whole=False)
    recorder.market.expect(SYMBOL)
    recorder.market.keep_only(set())
    other = watch_of(Side.LONG)
    other.key = "2"
    recorder.market.add_stop(other)
    recorder.market.loaded(SYMBOL)
    recorder.market.on_tick(second)
    assert recorder.market.fall_behind() == {SYMBOL: second.time_ms}
