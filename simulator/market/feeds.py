"""Where prices come from: nowhere (`manual`), a seeded walk, a file, a script, or another Binance."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

from simulator.market.board import Board
from simulator.market.files import RecordedTicks
from simulator.market.live import follow_live
from simulator.market.script import is_script, read_script
from simulator.market.ticks import FeedError, Tick
from simulator.market.walk import Walk, parse_walk

logger = logging.getLogger(__name__)

_BREATHE_EVERY = 200
# A walk that was held up, say by a suspended laptop, makes up for this many seconds and no more.
_MAX_CATCH_UP = 1.0


async def run_feed(
    spec: str, board: Board, *, seed: int, speed: float, stop: asyncio.Event, symbols: Sequence[str]
) -> None:
    """Print prices on the board until the feed ends or `stop` is set.

    `spec` is `manual`, `walk`, `walk:rate=4,bps=2` (prints per second, basis points), `live:<ws address>` or
    a file. `speed` divides every pause. Without `symbols` a walk moves all that trade. Raises FeedError.
    """
    if not speed > 0:
        raise FeedError(f"the speed of a feed must be above zero, not {speed}")
    _check_symbols(board, symbols)
    if spec == "manual":
        await stop.wait()
    elif spec == "walk" or spec.startswith("walk:"):
        await _walk(spec, board, seed=seed, speed=speed, stop=stop, symbols=symbols)
    elif spec.startswith("live:"):
        await _follow(spec.removeprefix("live:"), board, symbols or ["BTCUSDT"], stop)
    else:
        await _play_file(Path(spec), board, speed=speed, stop=stop, symbols=symbols)


async def play(
    ticks: Iterable[Tick], board: Board, *, speed: float, stop: asyncio.Event, origin_us: int | None = None
) -> int:
    """Print ticks at their own pace divided by `speed`; returns how many. What is overdue is printed at once.

    Their time runs from `origin_us` (microseconds), or else from the first of them.
    """
    loop = asyncio.get_running_loop()
    started, printed = loop.time(), 0
    for tick in ticks:
        origin_us = tick.at_us if origin_us is None else origin_us
        pause = started + (tick.at_us - origin_us) / 1e6 / speed - loop.time()
        if pause > 0:
            await _rest(stop, pause)
        elif printed % _BREATHE_EVERY == 0:
            await asyncio.sleep(0)
        if stop.is_set():
            break
        _print(board, tick)
        printed += 1
    return printed


async def _play_file(
    path: Path, board: Board, *, speed: float, stop: asyncio.Event, symbols: Sequence[str]
) -> None:
    if is_script(path):
        steps = read_script(path, symbols)
        _check_symbols(board, {step.symbol for step in steps}, source=f"{path}: ")
        for step in reversed(steps):
            board.anchor(step.symbol, step.price)
        await play(steps, board, speed=speed, stop=stop, origin_us=0)
        return
    recorded = RecordedTicks(path, symbols)
    printed = await play(recorded, board, speed=speed, stop=stop)
    logger.info("Played %d prices of %s", printed, path)
    if recorded.dropped:
        text = "Dropped %d lines of %s that make no sense, the first at line %d"
        logger.warning(text, recorded.dropped, path, recorded.first_dropped)


async def _walk(
    spec: str, board: Board, *, seed: int, speed: float, stop: asyncio.Event, symbols: Sequence[str]
) -> None:
    settings = parse_walk(spec)
    trading = [info.symbol for info in board.catalog.values() if info.status == "TRADING"]
    walks = {symbol: Walk(board.catalog[symbol], settings, seed=seed) for symbol in (symbols or trading)}
    for symbol in walks:
        board.anchor(symbol, _price(board, symbol), seed=seed)
    pause = 1 / (float(settings.rate) * speed * len(walks))
    loop = asyncio.get_running_loop()
    due = loop.time()
    while not stop.is_set():
        for symbol, walk in walks.items():
            due = max(due + pause, loop.time() - _MAX_CATCH_UP)
            await _rest(stop, due - loop.time())
            price, quantity, buyer_is_maker = walk.step(_price(board, symbol))
            board.print_trade(symbol, price, quantity, buyer_is_maker=buyer_is_maker)


async def _follow(url: str, board: Board, symbols: Sequence[str], stop: asyncio.Event) -> None:
    following = asyncio.create_task(follow_live(url.rstrip("/"), symbols, partial(_print, board)))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (following, stopping):
            task.cancel()
    if following.done():
        following.result()


def _price(board: Board, symbol: str) -> Decimal:
    return board.last_price(symbol) or board.catalog[symbol].reference_price


def _print(board: Board, tick: Tick) -> None:
    if tick.symbol not in board.catalog:
        raise FeedError(f"{tick.symbol} is not a symbol of this exchange")
    if tick.price > board.catalog[tick.symbol].max_price:
        logger.warning("Dropped a price of %s for %s: beyond its limit", tick.price, tick.symbol)
        return
    if board.last_trade(tick.symbol) is None:
        board.anchor(tick.symbol, tick.price)
    board.print_trade(tick.symbol, tick.price, tick.quantity, buyer_is_maker=tick.buyer_is_maker)


def _check_symbols(board: Board, symbols: Iterable[str], source: str = "") -> None:
    for symbol in symbols:
        if symbol not in board.catalog:
            raise FeedError(f"{source}{symbol} is not a symbol of this exchange")


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not past `stop`."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
