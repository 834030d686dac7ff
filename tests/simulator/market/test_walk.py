"""The seeded walk."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest

from simulator.market.board import Board
from simulator.market.feeds import run_feed
from simulator.market.ticks import FeedError
from simulator.market.walk import Walk, WalkSettings, parse_walk
from simulator.symbols import CATALOG
from tests.simulator.market.support import board_at, until

BTC = CATALOG["BTCUSDT"]


def path(symbol: str = "BTCUSDT", *, seed: int = 1, steps: int = 200, bps: int = 2) -> list[Decimal]:
    info = CATALOG[symbol]
    walk = Walk(info, WalkSettings(bps=Decimal(bps)), seed=seed)
    prices = [info.reference_price]
    for _ in range(steps):
        prices.append(walk.step(prices[-1])[0])
    return prices


def test_same_seed_takes_the_same_steps() -> None:
    assert path(seed=1) == path(seed=1)
    assert path(seed=1) != path(seed=2)
    assert path("ETHUSDT")[1:] != path("BTCUSDT")[1:]


def test_steps_stay_on_the_tick_and_within_their_size() -> None:
    for before, after in pairwise(path(steps=500)):
        assert after % BTC.tick == 0
        assert abs(after - before) <= before * Decimal("0.0002") + BTC.tick


def test_coarse_tick_does_not_hold_the_walk_still() -> None:
    assert len(set(path("XRPUSDT", steps=300, bps=1))) > 5


def test_walk_goes_on_from_a_price_that_somebody_else_set() -> None:
    walk = Walk(BTC, WalkSettings(), seed=1)
    walk.step(Decimal(60_000))
    price, quantity, _ = walk.step(Decimal(50_000))
    assert abs(price - 50_000) <= 11
    assert quantity > 0
    assert quantity % BTC.step == 0


async def walked(board: Board, *, prints: int, symbols: list[str]) -> None:
    stop = asyncio.Event()
    feed = run_feed("walk:rate=100", board, seed=5, speed=20, stop=stop, symbols=symbols)
    task = asyncio.create_task(feed)
    await until(lambda: all(len(board.trades(symbol)) >= prints for symbol in symbols))
    stop.set()
    await task


async def test_walk_feed_prints_the_same_prices_on_every_run() -> None:
    boards = [board_at()[0] for _ in range(2)]
    for board in boards:
        await walked(board, prints=20, symbols=["BTCUSDT", "ETHUSDT"])
    first, second = ([trade.price for trade in board.trades("ETHUSDT")][:20] for board in boards)
    assert first == second
    assert (
        boards[0].candles("ETHUSDT", "1h", limit=30)[:-1] == boards[1].candles("ETHUSDT", "1h", limit=30)[:-1]
    )


async def test_walk_without_symbols_moves_everything_that_trades() -> None:
    board, _ = board_at()
    trading = [info.symbol for info in CATALOG.values() if info.status == "TRADING"]
    stop = asyncio.Event()
    task = asyncio.create_task(run_feed("walk", board, seed=1, speed=50, stop=stop, symbols=[]))
    await until(lambda: all(board.trades(symbol) for symbol in trading))
    stop.set()
    await task
    assert not any(board.trades(symbol) for symbol in CATALOG if symbol not in trading)


@pytest.mark.parametrize(
    "spec", ["walk:pace=1", "walk:rate=fast", "walk:rate=0", "walk:bps=NaN", "walk:rate"]
)
def test_walk_that_makes_no_sense_is_refused(spec: str) -> None:
    with pytest.raises(FeedError, match="walk"):
        parse_walk(spec)


def test_walk_settings_are_read() -> None:
    assert parse_walk("walk:rate=10,bps=2.5") == WalkSettings(rate=Decimal(10), bps=Decimal("2.5"))
    assert parse_walk("walk") == WalkSettings()
