"""What is read before a watch begins: the gap in the prices, and candles for a detector."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest

from tests import factories
from tests.trading.world import SYMBOL, World
from trading import gateway, services
from trading.consumer import loading
from trading.consumer.market import Market
from trading.domain.lifecycle import PositionState
from trading.domain.types import Candle, Side, Tick
from trading.exchange.port import Exchange
from trading.gaps import gap

MINUTE, HOUR = 60_000, 3_600_000
NOW_MS = 1_800_000_030_000


class History:
    """An exchange with one trade a minute, at a price that names the minute."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def ensure_clock(self) -> None:
        self.asked.clear()

    def now_ms(self) -> int:
        return NOW_MS

    def aggregate_trades(self, symbol: str, *, start_ms: int, end_ms: int) -> Sequence[Tick]:
        self.asked.append(("trades", start_ms, end_ms))
        minutes = range(-(-start_ms // MINUTE), end_ms // MINUTE + 1)
        return [Tick(symbol, Decimal(minute), minute * MINUTE) for minute in minutes]

    def candles_between(self, symbol: str, interval: str, *, start_ms: int, end_ms: int) -> Sequence[Candle]:
        step = MINUTE if interval == "1m" else HOUR
        opened = range(-(-start_ms // step), end_ms // step + 1)[:1_000]
        self.asked.append((interval, len(opened)))
        return [self._candle(symbol, interval, index * step, step) for index in opened]

    def _candle(self, symbol: str, interval: str, open_ms: int, step: int) -> Candle:
        low, high = open_ms // MINUTE, (open_ms + step) // MINUTE - 1
        prices = (Decimal(low), Decimal(high), Decimal(low), Decimal(high))
        return Candle(symbol, interval, open_ms, open_ms + step - 1, *prices, Decimal(1), closed=True)


def minutes_told(gap_ms: int, side: Side = Side.LONG) -> tuple[set[int], History, list[Tick]]:
    history = History()
    ticks = gap(cast(Exchange, history), SYMBOL, side, after_ms=NOW_MS - gap_ms)
    return {int(tick.price) for tick in ticks}, history, ticks


@pytest.mark.parametrize("gap_ms", [0, 1, MINUTE, 14 * MINUTE, 15 * MINUTE])
def test_short_gap_is_told_trade_by_trade(gap_ms: int) -> None:
    told, history, _ = minutes_told(gap_ms)
    assert [kind for kind, *_ in history.asked] == ["trades"]
    assert told == set(range(-(-(NOW_MS - gap_ms + 1) // MINUTE), NOW_MS // MINUTE + 1))


@pytest.mark.parametrize("gap_ms", [16 * MINUTE, 3 * HOUR + 17_001, 16 * HOUR])
def test_long_gap_is_told_by_minutes_without_a_hole_at_its_start(gap_ms: int) -> None:
    told, _, ticks = minutes_told(gap_ms)
    assert told == set(range(-(-(NOW_MS - gap_ms + 1) // MINUTE), NOW_MS // MINUTE + 1))
    assert all(tick.time_ms > NOW_MS - gap_ms for tick in ticks)
    assert [tick.time_ms for tick in ticks] == sorted(tick.time_ms for tick in ticks)


@pytest.mark.parametrize("gap_ms", [17 * HOUR, 45 * HOUR, 30 * 24 * HOUR, 60 * 24 * HOUR])
def test_gap_of_days_is_told_by_hours_without_a_hole_and_with_few_trades(gap_ms: int) -> None:
    told, history, ticks = minutes_told(gap_ms)
    assert [kind for kind, *_ in history.asked[:3]] == ["trades", "1m", "1h"]
    _, start_ms, end_ms = history.asked[0]
    assert end_ms - start_ms < MINUTE
    assert history.asked[1][1] < 60
    # A candle is told by its first and last minute here, and so by all between.
    edges = {-(-(NOW_MS - gap_ms + 1) // MINUTE), NOW_MS // MINUTE}
    assert edges <= told
    between = sorted(tick.price for tick in ticks)
    assert max(later - earlier for earlier, later in pairwise(between)) <= HOUR // MINUTE
    assert [tick.time_ms for tick in ticks] == sorted(tick.time_ms for tick in ticks)


@pytest.mark.parametrize(("side", "worst"), [(Side.LONG, min), (Side.SHORT, max)])
def test_candle_tells_its_worst_price_before_its_best(side: Side, worst: Any) -> None:
    _, _, ticks = minutes_told(45 * HOUR, side)
    hour = [tick.price for tick in ticks if tick.time_ms == ticks[-5].time_ms]
    assert hour[1] == worst(hour)


def test_stop_is_loaded_with_what_happened_since_and_the_present_price(world: World) -> None:
    position = world.enter()
    for price in ("60500", "60400"):
        world.control.price(SYMBOL, price)
    watch, ticks = loading.load_stop(position)
    assert watch.stop.stop == position.stop_price
    assert [tick.price for tick in ticks] == [Decimal(60_500), Decimal(60_400), Decimal(60_400)]


def test_detector_is_loaded_with_enough_closed_candles_to_be_warm(world: World) -> None:
    position = factories.core_position(state=PositionState.ARMED, fast_period=3, slow_period=7, interval="1m")
    watch, candles = loading.load_entry(position)
    assert all(candle.closed for candle in candles)
    for candle in candles:
        assert watch.detector.on_candle(candle) is None
    assert watch.detector.ready


class Rising:
    """An exchange whose price stood still until five candles of a second ago, and rises."""

    def now_ms(self) -> int:
        return NOW_MS

    def candles(self, symbol: str, interval: str, *, limit: int) -> Sequence[Candle]:
        return [self._candle(symbol, interval, ago) for ago in range(limit - 1, -1, -1)]

    def _candle(self, symbol: str, interval: str, ago: int) -> Candle:
        price, opened = Decimal(100 + max(6 - ago, 0)), NOW_MS - ago * 1_000
        prices = (price, price, price, price)
        return Candle(symbol, interval, opened, opened + 999, *prices, Decimal(1), closed=ago > 0)


def test_a_crossover_that_was_over_before_the_stream_carried_candles_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed_at = datetime.fromtimestamp(NOW_MS / 1000 - 8, UTC)
    position = factories.core_position(
        state=PositionState.ARMED, armed_at=armed_at, fast_period=2, slow_period=4, interval="1s"
    )
    with monkeypatch.context() as patched:
        patched.setattr(gateway, "exchange_for", lambda _: Rising())
        watch, candles = loading.load_entry(position)
    signals = [signal for candle in candles if (signal := watch.detector.on_candle(candle))]
    assert [signal.candle_close_time_ms for signal in signals] == [NOW_MS - 5_000 + 999]


@pytest.mark.parametrize(("interval", "fresh_ms"), [("15m", 30 * MINUTE), ("1s", 10_000)])
def test_crossover_from_before_a_restart_is_history(world: World, interval: str, fresh_ms: int) -> None:
    """Until a stream carries candles, some of a second have closed."""
    position = factories.core_position(
        state=PositionState.ARMED, armed_at=world.desk.clock() - timedelta(days=2), interval=interval
    )
    now_ms = world.exchange.now_ms()
    detector = loading.detector_for(position, now_ms=now_ms)
    assert detector.armed_ms == now_ms - fresh_ms


def test_a_touch_in_a_gap_that_is_still_owed_outlasts_a_restart(world: World) -> None:
    position = world.enter()
    fired: list[Tick] = []

    def begin() -> Market:
        market = Market(on_stop=lambda _, tick: fired.append(tick), on_signal=print, on_gap=print)
        position.refresh_from_db()
        market.expect(SYMBOL)
        market.add_stop(*loading.load_stop(position))
        market.loaded(SYMBOL)
        return market

    market = begin()
    market.fall_behind()
    for price in ("58000", "60700"):
        world.control.price(SYMBOL, price)
    market.catch_up(SYMBOL, [], whole=False)
    market.on_tick(Tick(SYMBOL, Decimal(60_700), world.exchange.now_ms(), 10**9))
    services.save_progress(batch=market.take_progress(), at=gateway.utc_now())
    begin()
    assert [tick.price for tick in fired] == [Decimal(58_000)]


def test_what_is_told_of_a_gap_in_the_end_lets_progress_be_saved(world: World) -> None:
    position = world.enter()
    market = Market(on_stop=print, on_signal=print, on_gap=print)
    market.expect(SYMBOL)
    market.add_stop(*loading.load_stop(position))
    market.loaded(SYMBOL)
    market.fall_behind()
    market.catch_up(SYMBOL, [], whole=False)
    market.on_tick(Tick(SYMBOL, Decimal(60_700), world.exchange.now_ms(), 10**9))
    assert market.take_progress() == []
    market.catch_up(SYMBOL, [])
    assert [progress.extreme for progress in market.take_progress()] == [Decimal(60_700)]
