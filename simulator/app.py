"""The HTTP application: REST, WebSockets and the control API on one port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from simulator import control
from simulator.exchange import Exchange
from simulator.market.feeds import run_feed
from simulator.rest import account, catalog, guard, margin, public
from simulator.rest.gateway import Desk, route
from simulator.streams.connection import StreamSettings
from simulator.streams.public import PublicStreams
from simulator.streams.user import UserStreams
from simulator.tokens import Tokens
from simulator.weights import Weights

ENDPOINTS = (*margin.ENDPOINTS, *account.ENDPOINTS, *catalog.ENDPOINTS)
MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Feed:
    """Where prices come from (see `market.feeds`); `speed` divides the pauses of a recording."""

    spec: str = "manual"
    speed: float = 1.0
    seed: int = 1
    symbols: Sequence[str] = ()


def build(exchange: Exchange, feed: Feed | None = None) -> web.Application:
    """The application for an exchange, with its price feed started and stopped along with it."""
    desk = Desk(exchange, Weights(), Tokens())
    users = UserStreams(desk)
    market = PublicStreams(exchange.board, exchange.clock, exchange.faults, StreamSettings())
    app = web.Application(middlewares=[guard.middleware(desk)], client_max_size=MAX_BODY)
    app.add_routes([route(desk, endpoint) for endpoint in ENDPOINTS])
    app.add_routes(public.routes(exchange.board, exchange.catalog, exchange.clock))
    app.add_routes(control.routes(desk))
    # The market streams answer anything below /ws/, so the WebSocket API comes first.
    app.add_routes(users.routes())
    app.add_routes(market.routes())
    app.on_shutdown.extend([users.close, market.close])
    app.cleanup_ctx.append(_feeding(exchange, feed or Feed()))
    return app


def _feeding(exchange: Exchange, feed: Feed) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(_: web.Application) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(
            run_feed(
                feed.spec, exchange.board, seed=feed.seed, speed=feed.speed, stop=stop, symbols=feed.symbols
            )
        )
        yield
        stop.set()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return run
