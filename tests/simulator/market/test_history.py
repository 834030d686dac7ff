"""The market before the simulator started."""

import itertools
from decimal import Decimal

import pytest

from simulator.market.board import Board
from simulator.market.intervals import DAY, INTERVALS, MINUTE
from tests.simulator.market.support import START_MS, board_at

SYMBOL = "BTCUSDT"
# Neither on a minute nor on a second, as real starts are.
ODD_START = START_MS + 34_567


def seeded(seed: int) -> Board:
    board, _ = board_at(ODD_START)
    board.anchor(SYMBOL, Decimal(60_000), seed=seed)
    return board


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_hundred_candles_are_there_right_after_the_start(interval: str) -> None:
    candles = seeded(1).candles(SYMBOL, interval, limit=100)
    assert len(candles) == 100
    assert all(later.open_ms == earlier.close_ms + 1 for earlier, later in itertools.pairwise(candles))
    assert candles[-1].open_ms <= ODD_START <= candles[-1].close_ms
    assert all(candle.low <= min(candle.open, candle.close) for candle in candles)
    assert all(candle.high >= max(candle.open, candle.close) for candle in candles)
    assert len({candle.close for candle in candles}) > 10


def test_same_seed_makes_the_same_history_and_another_seed_another() -> None:
    assert seeded(1).candles(SYMBOL, "1m") == seeded(1).candles(SYMBOL, "1m")
    assert seeded(1).candles(SYMBOL, "1m") != seeded(2).candles(SYMBOL, "1m")


def test_each_candle_opens_where_the_one_before_closed_up_to_the_anchor() -> None:
    candles = seeded(1).candles(SYMBOL, "1m", limit=200)
    assert all(later.open == earlier.close for earlier, later in itertools.pairwise(candles))
    assert candles[-1].close == Decimal(60_000)


def test_intervals_agree_on_opens_and_closes() -> None:
    board = seeded(1)
    hour = board.candles(SYMBOL, "1h", limit=3)[0]
    minutes = board.candles(SYMBOL, "1m", start_ms=hour.open_ms, end_ms=hour.close_ms)
    assert len(minutes) == 60
    assert (minutes[0].open, minutes[-1].close) == (hour.open, hour.close)


def test_prices_before_the_start_stay_on_the_tick_and_above_zero() -> None:
    board = seeded(3)
    tick = board.catalog[SYMBOL].tick
    for candle in board.candles(SYMBOL, "1d", limit=1_000):
        assert candle.low > 0
        assert candle.low % tick == candle.high % tick == 0


def test_without_a_seed_history_is_flat_and_nothing_was_traded() -> None:
    board, _ = board_at(ODD_START)
    candles = board.candles(SYMBOL, "1m", limit=100)
    price = board.catalog[SYMBOL].reference_price
    assert {(c.open, c.high, c.low, c.close, c.volume) for c in candles} == {
        (price, price, price, price, Decimal(0))
    }


def test_history_reaches_back_to_the_listing_and_no_further() -> None:
    board = seeded(1)
    first, second = board.candles(SYMBOL, "1d", start_ms=0, limit=2)
    assert 3_600 * DAY < ODD_START - first.open_ms <= 3_650 * DAY
    assert second.open_ms == first.close_ms + 1
    assert board.candles(SYMBOL, "1d", end_ms=first.open_ms - 1) == []


def test_a_span_may_begin_in_history_and_end_in_what_was_recorded() -> None:
    board, clock = board_at()
    board.anchor(SYMBOL, Decimal(60_000), seed=1)
    clock.at_ms += 2 * MINUTE
    board.print_trade(SYMBOL, Decimal(61_000))
    span = board.candles(SYMBOL, "1m", start_ms=START_MS - 2 * MINUTE, end_ms=START_MS + 2 * MINUTE)
    assert [candle.open_ms for candle in span] == [START_MS + n * MINUTE for n in (-2, -1, 0, 1, 2)]
    assert span[2].close == Decimal(60_000)
    assert span[4].close == Decimal(61_000)
