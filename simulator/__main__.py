"""`python -m simulator`: a Binance on this machine."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal

from aiohttp import web

from simulator.app import Feed, build
from simulator.exchange import Exchange
from simulator.settings import Settings

DEMO_ACCOUNT = "demo-key:demo-secret"
SHUTDOWN_S = 1.0


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
    for text in options.account or [DEMO_ACCOUNT]:
        api_key, colon, secret = text.partition(":")
        if not (api_key and colon and secret):
            raise ValueError(f"an account looks like KEY:SECRET, not {text}")
        exchange.add_account(api_key, secret)
    return exchange


async def serve(exchange: Exchange, feed: Feed, *, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Prints one line when ready."""
    runner = web.AppRunner(build(exchange, feed), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        bound = f"{host}:{runner.addresses[0][1]}"
        print(f"simulator ready: http://{bound} ws://{bound}/ws ws://{bound}/ws-api/v3", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


async def run(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    exchange = exchange_of(options)
    walked = () if options.feed != "walk" else exchange.settings.initial_pairs
    feed = Feed(options.feed, options.speed, options.seed, walked)
    await serve(exchange, feed, host=options.host, port=options.port, stop=stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve, and return the exit code."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(parser().parse_args(arguments)))
    except (ValueError, OSError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
