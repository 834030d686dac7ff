"""Candles against a plain recount of the trades."""

import itertools
from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.market.candles import Candle
from simulator.market.intervals import INTERVALS, MINUTE, next_open, open_at
from simulator.market.series import CANDLES_KEPT
from simulator.market.trades import TradePrint
from tests.simulator.market.support import START_MS, board_at

SYMBOL = "BTCUSDT"

steps = st.lists(
    st.tuples(
        st.integers(0, 200_000),
        st.integers(1, 20_000).map(lambda cents: Decimal(cents) / 100),
        st.integers(1, 5_000).map(lambda lots: Decimal(lots) / 100_000),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def recount(trades: list[TradePrint], interval: str, *, until_ms: int, start: Decimal) -> list[Candle]:
    """Every candle from the board's start, the slow and obvious way."""
    buckets: dict[int, list[TradePrint]] = defaultdict(list)
    for trade in trades:
        buckets[open_at(interval, trade.time_ms)].append(trade)
    candles, close, opened = [], start, open_at(interval, START_MS)
    while opened <= until_ms:
        inside = buckets[opened]
        prices = [trade.price for trade in inside] or [close]
        taken = [trade for trade in inside if not trade.buyer_is_maker]
        close = prices[-1]
        candles.append(
            Candle(
                open_ms=opened,
                close_ms=next_open(interval, opened) - 1,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=close,
                volume=sum((trade.quantity for trade in inside), Decimal(0)),
                quote_volume=sum((trade.quantity * trade.price for trade in inside), Decimal(0)),
                trades=len(inside),
                taker_base=sum((trade.quantity for trade in taken), Decimal(0)),
                taker_quote=sum((trade.quantity * trade.price for trade in taken), Decimal(0)),
                first_id=inside[0].trade_id if inside else -1,
                last_id=inside[-1].trade_id if inside else -1,
            )
        )
        opened = next_open(interval, opened)
    return candles


@settings(max_examples=60, deadline=None)
@given(steps=steps, interval=st.sampled_from(INTERVALS), looked_at=st.sets(st.integers(0, 29)))
def test_candles_equal_a_plain_recount_of_the_trades(
    steps: list[tuple[int, Decimal, Decimal, bool]], interval: str, looked_at: set[int]
) -> None:
    board, clock = board_at()
    start = board.catalog[SYMBOL].reference_price
    trades = []
    for number, (pause, price, quantity, maker) in enumerate(steps):
        clock.at_ms += pause
        trades.append(board.print_trade(SYMBOL, price, quantity, buyer_is_maker=maker))
        # Looking at candles half-way must not change what they become.
        if number in looked_at:
            board.candles(SYMBOL, interval, limit=3)
    expected = recount(trades, interval, until_ms=clock.at_ms, start=start)
    shown = board.candles(SYMBOL, interval, start_ms=open_at(interval, START_MS), limit=1_000)
    assert shown == expected[:1_000]
    assert board.candles(SYMBOL, interval, limit=5)[-len(expected) :] == expected[-5:]


def test_minutes_without_trades_stand_at_the_last_price() -> None:
    board, clock = board_at()
    board.print_trade(SYMBOL, Decimal(61_000))
    clock.at_ms += 3 * MINUTE
    quiet = board.candles(SYMBOL, "1m", start_ms=START_MS + MINUTE)
    assert [candle.open_ms for candle in quiet] == [START_MS + n * MINUTE for n in (1, 2, 3)]
    assert {(c.open, c.high, c.low, c.close, c.volume, c.trades) for c in quiet} == {
        (Decimal(61_000), Decimal(61_000), Decimal(61_000), Decimal(61_000), Decimal(0), 0)
    }


def test_candle_opens_at_its_first_trade_not_at_the_close_before() -> None:
    board, clock = board_at()
    board.print_trade(SYMBOL, Decimal(100))
    clock.at_ms += MINUTE
    board.print_trade(SYMBOL, Decimal(110))
    assert board.current_candle(SYMBOL, "1m").open == Decimal(110)
    assert board.current_candle(SYMBOL, "5m").open == Decimal(100)


def test_late_trade_counts_in_the_open_candle() -> None:
    board, clock = board_at()
    board.print_trade(SYMBOL, Decimal(100))
    clock.at_ms += 5 * MINUTE
    board.print_trade(SYMBOL, Decimal(101))
    closed = board.candles(SYMBOL, "1m", limit=6)[:-1]
    board.print_trade(SYMBOL, Decimal(90), time_ms=START_MS)
    assert board.candles(SYMBOL, "1m", limit=6)[:-1] == closed
    assert board.current_candle(SYMBOL, "1m").low == Decimal(90)


def test_closed_candles_are_reported_once_the_clock_has_passed_them() -> None:
    board, clock = board_at()
    board.print_trade(SYMBOL, Decimal(100))
    clock.at_ms = START_MS + MINUTE - 1
    assert board.candles_closed_since(SYMBOL, "1m", START_MS) == []
    clock.at_ms += 1
    assert [candle.open_ms for candle in board.candles_closed_since(SYMBOL, "1m", START_MS)] == [START_MS]
    assert board.candles_closed_since(SYMBOL, "1m", START_MS + MINUTE) == []


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_are_forgotten_beyond_what_is_kept(interval: str) -> None:
    board, clock = board_at()
    first_ms = open_at(interval, START_MS)
    length = next_open(interval, first_ms) - first_ms
    for _ in range(3):
        board.print_trade(SYMBOL, Decimal(100))
        clock.at_ms += length * CANDLES_KEPT
    series = board.candles(SYMBOL, interval, limit=1_000)
    assert len(series) == 1_000
    assert all(later.open_ms == earlier.close_ms + 1 for earlier, later in itertools.pairwise(series))
    oldest = board.candles(SYMBOL, interval, start_ms=0, limit=1)[0]
    assert oldest.open_ms > START_MS


def test_decades_of_silence_are_skipped_quickly() -> None:
    board, clock = board_at()
    board.print_trade(SYMBOL, Decimal(100))
    clock.at_ms += 30 * 365 * 24 * 60 * MINUTE
    assert [candle.close for candle in board.candles(SYMBOL, "1s", limit=2)] == [Decimal(100)] * 2
