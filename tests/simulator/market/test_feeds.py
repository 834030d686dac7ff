"""Feeds at work: pace, scripts, and another exchange as the source."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from simulator.market.board import Board
from simulator.market.feeds import play, run_feed
from simulator.market.script import read_script
from simulator.market.ticks import FeedError, Tick
from tests.simulator.market.support import board_at, serving, until

SYMBOL = "BTCUSDT"


async def feed(spec: str | Path, board: Board, *symbols: str, speed: float = 1e9) -> None:
    await run_feed(str(spec), board, seed=1, speed=speed, stop=asyncio.Event(), symbols=symbols)


def script(folder: Path, *lines: str) -> Path:
    path = folder / "fall.jsonl"
    path.write_text("\n".join(lines))
    return path


async def test_manual_feed_prints_nothing_and_ends_when_stopped() -> None:
    board, _ = board_at()
    stop = asyncio.Event()
    task = asyncio.create_task(run_feed("manual", board, seed=1, speed=1, stop=stop, symbols=[]))
    await asyncio.sleep(0)
    stop.set()
    await task
    assert board.trades(SYMBOL) == []


async def test_recording_is_printed_with_the_exchange_own_time(tmp_path: Path) -> None:
    board, clock = board_at()
    path = tmp_path / "BTCUSDT-trades.csv"
    path.write_text(
        "1,61000.5,0.02,1220,1600000000000,True,True\n2,61001,0.03,1830,1600000000100,False,True\n"
    )
    await feed(path, board)
    printed = [(t.price, t.quantity, t.buyer_is_maker, t.time_ms) for t in board.trades(SYMBOL)]
    assert printed == [
        (Decimal("61000.5"), Decimal("0.02"), True, clock.at_ms),
        (Decimal(61_001), Decimal("0.03"), False, clock.at_ms),
    ]


async def test_history_before_a_recording_stands_at_its_first_price(tmp_path: Path) -> None:
    board, _ = board_at()
    path = tmp_path / "BTCUSDT-trades.csv"
    path.write_text("1,30000,0.02,600,1600000000000,True,True\n")
    await feed(path, board)
    assert {candle.close for candle in board.candles(SYMBOL, "1m", limit=50)} == {Decimal(30_000)}


async def test_pauses_are_divided_by_the_speed() -> None:
    board, _ = board_at()
    loop = asyncio.get_running_loop()
    started = loop.time()
    ticks = [Tick(SYMBOL, Decimal(100), 0), Tick(SYMBOL, Decimal(101), 200_000)]
    assert await play(ticks, board, speed=4, stop=asyncio.Event()) == 2
    assert loop.time() - started >= 0.05
    # Unscaled, an hour of recording would not end within the test's patience.
    hour = [Tick(SYMBOL, Decimal(100), 0), Tick(SYMBOL, Decimal(101), 3_600_000_000)]
    async with asyncio.timeout(10):
        assert await play(hour, board, speed=1e6, stop=asyncio.Event()) == 2


async def test_stop_ends_a_feed_in_the_middle_of_a_pause() -> None:
    board, _ = board_at()
    stop = asyncio.Event()
    ticks = [Tick(SYMBOL, Decimal(100), 0), Tick(SYMBOL, Decimal(101), 3_600_000_000)]
    task = asyncio.create_task(play(ticks, board, speed=1, stop=stop))
    await until(lambda: bool(board.trades(SYMBOL)))
    stop.set()
    async with asyncio.timeout(10):
        assert await task == 1


async def test_script_is_played_in_order_of_time(tmp_path: Path) -> None:
    board, _ = board_at()
    path = script(
        tmp_path,
        "# a fall",
        '{"at": 2, "symbol": "BTCUSDT", "price": "59000"}',
        '{"at": 0.5, "symbol": "BTCUSDT", "price": 60000.10, "quantity": "0.5", "buyer_is_maker": true}',
        "",
        '{"at": 1, "symbol": "ETHUSDT", "price": 3000}',
    )
    heard: list[tuple[str, Decimal]] = []
    board.listeners.append(lambda trade: heard.append((trade.symbol, trade.price)))
    await feed(path, board)
    assert heard == [(SYMBOL, Decimal("60000.10")), ("ETHUSDT", Decimal(3_000)), (SYMBOL, Decimal(59_000))]
    first = board.trades(SYMBOL)[0]
    assert (first.quantity, first.buyer_is_maker) == (Decimal("0.5"), True)


def test_symbol_may_be_left_out_of_a_script_for_one(tmp_path: Path) -> None:
    steps = read_script(script(tmp_path, '{"at": 1, "price": "1"}'), [SYMBOL])
    assert steps == [Tick(SYMBOL, Decimal(1), 1_000_000)]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"at": 1}',
        '{"at": -1, "symbol": "BTCUSDT", "price": "1"}',
        '{"at": true, "symbol": "BTCUSDT", "price": "1"}',
        '{"at": NaN, "symbol": "BTCUSDT", "price": "1"}',
        '{"at": 1, "price": "1"}',
        '{"at": 1, "symbol": "BTCUSDT", "price": "0"}',
        '{"at": 1, "symbol": "BTCUSDT", "price": "x"}',
        '{"at": 1, "symbol": "BTCUSDT", "price": "1", "quantity": "-1"}',
        '{"at": 1, "symbol": "BTCUSDT", "price": "1", "colour": "red"}',
    ],
)
def test_mistake_in_a_script_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = script(tmp_path, '{"at": 0, "symbol": "BTCUSDT", "price": "1"}', line)
    with pytest.raises(FeedError, match=r"fall\.jsonl:2: "):
        read_script(path, [])


async def test_unknown_symbol_is_refused_by_name(tmp_path: Path) -> None:
    board, _ = board_at()
    path = script(tmp_path, '{"at": 0, "symbol": "NOSUCHPAIR", "price": "1"}')
    with pytest.raises(FeedError, match="NOSUCHPAIR is not a symbol"):
        await feed(path, board)
    with pytest.raises(FeedError, match="NOSUCHPAIR is not a symbol"):
        await feed("walk", board, "NOSUCHPAIR")
    dump = tmp_path / "NOSUCHPAIR-trades.csv"
    dump.write_text("1,61000.5,0.02,1220,1600000000000,True,True\n")
    with pytest.raises(FeedError, match="NOSUCHPAIR is not a symbol"):
        await feed(dump, board)


async def test_price_beyond_the_symbol_limit_is_dropped_not_fatal(tmp_path: Path) -> None:
    board, _ = board_at()
    path = tmp_path / "BTCUSDT-trades.csv"
    rows = [f"1,{price},0.02,1220,1600000000000,True,True" for price in ("61000", "9999999", "61001")]
    path.write_text("\n".join(rows))
    await feed(path, board)
    assert [trade.price for trade in board.trades(SYMBOL)] == [Decimal(61_000), Decimal(61_001)]


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
async def test_speed_must_be_above_zero(speed: float) -> None:
    board, _ = board_at()
    with pytest.raises(FeedError, match="speed"):
        await feed("manual", board, speed=speed)


async def test_prices_of_another_exchange_are_followed_live() -> None:
    board, _ = board_at()
    stop = asyncio.Event()
    async with serving() as source:
        spec = f"live:{source.address.replace('http', 'ws')}"
        task = asyncio.create_task(run_feed(spec, board, seed=1, speed=1, stop=stop, symbols=[SYMBOL]))
        await until(lambda: bool(source.streams.hub.connections))
        source.arm("malformed_frames", count=7)
        for price in range(61_000, 61_010):
            source.board.print_trade(SYMBOL, Decimal(price), Decimal("0.3"), buyer_is_maker=True)
        await until(lambda: len(board.trades(SYMBOL)) == 10)
        assert [trade.price for trade in board.trades(SYMBOL)] == [Decimal(n) for n in range(61_000, 61_010)]
        assert board.trades(SYMBOL)[0].buyer_is_maker
        stop.set()
        await task


async def test_live_feed_reconnects_when_the_other_exchange_drops_it() -> None:
    board, _ = board_at()
    stop = asyncio.Event()
    async with serving() as source:
        spec = f"live:{source.address.replace('http', 'ws')}"
        task = asyncio.create_task(run_feed(spec, board, seed=1, speed=1, stop=stop, symbols=[SYMBOL]))
        await until(lambda: bool(source.streams.hub.connections))
        source.arm("drop_stream", count=1)
        assert not source.streams.hub.connections
        await until(lambda: bool(source.streams.hub.connections))
        source.board.print_trade(SYMBOL, Decimal(61_000))
        await until(lambda: bool(board.trades(SYMBOL)))
        stop.set()
        await task
