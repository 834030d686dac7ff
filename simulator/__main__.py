"""`python -m simulator`: a Binance on this machine."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from aiohttp import web

from simulator.app import build
from simulator.errors import BinanceError
from simulator.exchange import Exchange
from simulator.market.feeds import run_feed
from simulator.market.ticks import FeedError
from simulator.settings import Settings

DEMO_ACCOUNT = "demo-key:demo-secret"
SHUTDOWN_S = 1.0
FEED_GRACE_S = 0.02


@dataclass(frozen=True, slots=True)
class Feed:
    """Where prices come from (see `market.feeds`); `speed` divides the pauses of a recording."""

    spec: str
    speed: float
    seed: int
    symbols: Sequence[str]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    line.add_argument("--host", default="127.0.0.1")
    line.add_argument("--port", type=int, default=8900, help="0 takes a free one and prints it")
    line.add_argument("--seed", type=int, default=1)
    line.add_argument("--feed", default="manual", help="manual, walk, live:ADDRESS or a file to replay")
    line.add_argument("--speed", type=float, default=1.0, help="divides the pauses of a recording")
    line.add_argument("--account", action="append", metavar="KEY:SECRET", help=f"default {DEMO_ACCOUNT}")
    line.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="pairs every account starts with")
    line.add_argument("--collateral", type=Decimal, default=Decimal(10_000), help="quote currency per pair")
    line.add_argument("--leverage", type=int, default=5)
    line.add_argument(
        "--interest", type=Decimal, default=Settings().interest_per_hour, help="fraction per hour"
    )
    return line


def exchange_of(options: argparse.Namespace) -> Exchange:
    """The exchange that the command line asks for. Raises ValueError for a malformed account."""
    symbols = tuple(symbol for symbol in options.symbols.split(",") if symbol)
    settings = Settings(
        collateral=options.collateral,
        leverage=options.leverage,
        interest_per_hour=options.interest,
        initial_pairs=symbols,
        seed=options.seed,
    )
    exchange = Exchange(settings=settings)
    exchange.start_with([_key_and_secret(text) for text in options.account or [DEMO_ACCOUNT]])
    return exchange


def _key_and_secret(text: str) -> tuple[str, str]:
    api_key, _, secret = text.partition(":")
    if not (api_key and secret):
        raise ValueError(f"an account looks like KEY:SECRET, not {text}")
    return api_key, secret


async def serve(exchange: Exchange, *, host: str, port: int, feed: Feed, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, printing one line when ready. Raises what ends the price feed early."""
    runner = web.AppRunner(build(exchange), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    feeding = asyncio.create_task(
        run_feed(feed.spec, exchange.board, seed=feed.seed, speed=feed.speed, stop=stop, symbols=feed.symbols)
    )
    feeding.add_done_callback(lambda task: stop.set() if _has_failed(task) else None)
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
        # A feed that cannot even start must end the simulator before it calls itself ready.
        if (await asyncio.wait({feeding}, timeout=FEED_GRACE_S))[0]:
            await feeding
        bound = f"{host}:{runner.addresses[0][1]}"
        print(f"simulator ready: http://{bound} ws://{bound}/ws ws://{bound}/ws-api/v3", flush=True)
        await stop.wait()
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
    finally:
        await runner.cleanup()


def _has_failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None


async def run(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    exchange = exchange_of(options)
    walked = exchange.settings.initial_pairs if options.feed.startswith("walk") else ()
    feed = Feed(options.feed, options.speed, options.seed, walked)
    await serve(exchange, host=options.host, port=options.port, feed=feed, stop=stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve, and return the exit code."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(parser().parse_args(arguments)))
    except (ValueError, OSError, BinanceError, FeedError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
