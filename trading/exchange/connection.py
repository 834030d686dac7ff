"""A WebSocket connection that comes back: the part that market and user streams share."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from trading.exchange.backoff import failures_after, reconnect_delay

log = logging.getLogger(__name__)

# What Binance announces some minutes before it closes the connection.
SHUTDOWN = b"serverShutdown"


class Link(StrEnum):
    """What became of a connection. None of these says that data flows: only data does."""

    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    REFUSED = "refused"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LinkState:
    """A change of the connection; `detail` says why, for people."""

    link: Link
    detail: str = ""


OnState = Callable[[LinkState], None]


def log_state(state: LinkState) -> None:
    """The least that a listener should do about a change."""
    level = logging.INFO if state.link in {Link.CONNECTED, Link.SUBSCRIBED} else logging.WARNING
    log.log(level, "stream %s %s", state.link, state.detail)


# Serves one connection until it should be given up, and says why.
Serve = Callable[[ClientConnection], Awaitable[str]]


async def keep_connected(
    url: str, serve: Serve, on_state: OnState, *, jitter: Callable[[], float] = random.random
) -> None:
    """Connect and serve, again and again, until cancelled. Exceptions of the callbacks end it."""
    failures = 0
    while True:
        lasted_s, reason = await _one_connection(url, serve, on_state)
        failures = failures_after(failures, lasted_s)
        on_state(LinkState(Link.DISCONNECTED, reason))
        await asyncio.sleep(reconnect_delay(failures, jitter()))


async def _one_connection(url: str, serve: Serve, on_state: OnState) -> tuple[float, str]:
    """(seconds that the connection stood, why it ended)"""
    clock = asyncio.get_running_loop().time
    connected_at: float | None = None
    try:
        # Trade frames are too short to be worth the time that compression takes. Proxies of the environment
        # are ignored, as they are for REST.
        async with connect(
            url,
            compression=None,
            proxy=None,
            open_timeout=10,
            ping_interval=20,
            ping_timeout=20,
            close_timeout=1,
        ) as socket:
            connected_at = clock()
            on_state(LinkState(Link.CONNECTED))
            reason = await serve(socket)
    except (OSError, WebSocketException) as error:
        reason = f"{type(error).__name__}: {error}"
    return (0.0 if connected_at is None else clock() - connected_at), reason


async def serve_both(read: Awaitable[str], write: Awaitable[str]) -> str:
    """Run a connection's reader and writer until one of them gives up, and then neither is left."""
    tasks = {asyncio.ensure_future(read), asyncio.ensure_future(write)}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next(iter(done)).result()
