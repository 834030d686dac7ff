"""A WebSocket connection that comes back: the part that market and user streams share."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from trading.exchange.backoff import failures_after, reconnect_delay

log = logging.getLogger(__name__)

# What Binance announces some minutes before it closes the connection.
SHUTDOWN = b"serverShutdown"
# It closes every connection after 24 hours, so this is before that.
LASTS_S = 23 * 3600.0
# Neither of two connections is ahead of the other in everything: both are read for this long.
OVERLAP_S = 1.0


class Link(StrEnum):
    """What became of a connection. None of these says that data flows: only data does."""

    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    REFUSED = "refused"
    REPLACED = "replaced"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LinkState:
    """A change of the connection; `detail` says why, for people."""

    link: Link
    detail: str = ""


# What needs nobody's attention.
USUAL = frozenset({Link.CONNECTED, Link.SUBSCRIBED, Link.REPLACED})

OnState = Callable[[LinkState], None]


def log_state(state: LinkState) -> None:
    """The least that a listener should do about a change."""
    level = logging.INFO if state.link in USUAL else logging.WARNING
    log.log(level, "stream %s %s", state.link, state.detail)


@dataclass
class Duty:
    """One connection, as whoever serves it sees it. `say` announces a change of it.

    `ready` is to be set once it carries what is wanted, `leaving` once its end is announced.
    """

    say: OnState
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)


# Serves one connection until it should be given up, and says why.
Serve = Callable[[ClientConnection, Duty], Awaitable[str]]


async def keep_connected(
    url: str,
    serve: Serve,
    on_state: OnState,
    *,
    lasts_s: float = LASTS_S,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Connect and serve, again and again, until cancelled. Exceptions of the callbacks end it.

    A connection that announces its end, or has stood for `lasts_s` seconds, goes on until another one carries
    the same, and for a moment beside it: both then deliver everything.
    """
    failures = 0
    while True:
        connections = _Succession(url, serve, on_state, jitter)
        lasted_s, reason = await connections.run(lasts_s)
        failures = failures_after(failures, lasted_s)
        on_state(LinkState(Link.DISCONNECTED, reason))
        await asyncio.sleep(reconnect_delay(failures, jitter()))


class _Held:
    """A connection and the task that serves it. While `quiet`, it stands beside another and is no news."""

    def __init__(self, url: str, serve: Serve, on_state: OnState, *, quiet: bool) -> None:
        self._on_state = on_state
        self.quiet = quiet
        self.duty = Duty(self._say)
        self.task = asyncio.create_task(_one_connection(url, serve, self.duty))

    def _say(self, state: LinkState) -> None:
        if not (self.quiet and state.link in {Link.CONNECTED, Link.SUBSCRIBED}):
            self._on_state(state)

    async def end(self) -> None:
        """Close it. Raises what a callback raised."""
        self.task.cancel()
        await asyncio.wait({self.task})
        if not self.task.cancelled():
            self.task.result()


class _Succession:
    """Connections of which each takes over from the last, until one breaks before its successor is ready."""

    def __init__(self, url: str, serve: Serve, on_state: OnState, jitter: Callable[[], float]) -> None:
        self._hold = partial(_Held, url, serve, on_state)
        self._on_state = on_state
        self._jitter = jitter
        self._held: list[_Held] = []

    async def run(self, lasts_s: float) -> tuple[float, str]:
        """(seconds that the last connection stood, why it ended)"""
        self._held = [self._hold(quiet=False)]
        clock, failures = asyncio.get_running_loop().time, 0
        try:
            while True:
                present, since = self._held[0], clock()
                if await _first(present.task, present.duty.leaving.wait(), within_s=lasts_s) is present.task:
                    return present.task.result()
                failures = failures_after(failures, clock() - since)
                if not await self._replace(present, failures):
                    return await present.task
        finally:
            for held in self._held:
                await held.end()

    async def _replace(self, present: _Held, failures: int) -> bool:
        """Have another connection carry the same, then end this one. False if this one ended before."""
        while True:
            delay_s = reconnect_delay(failures, self._jitter())
            if await _first(present.task, asyncio.sleep(delay_s)) is present.task:
                return False
            successor = self._hold(quiet=True)
            self._held = [present, successor]
            first = await _first(present.task, successor.task, successor.duty.ready.wait())
            if first not in {present.task, successor.task}:
                break
            await successor.end()
            self._held = [present]
            if first is present.task:
                return False
            failures += 1
        await _first(successor.task, asyncio.sleep(OVERLAP_S))
        self._held = [successor]
        await present.end()
        successor.quiet = False
        self._on_state(LinkState(Link.REPLACED))
        return True


async def _first(
    *waits: "asyncio.Task[Any] | Coroutine[Any, Any, object]", within_s: float | None = None
) -> "asyncio.Future[Any] | None":
    """The first of these to be done, the earliest in the list if there are several; None after `within_s`.

    Tasks go on; coroutines that are not done are cancelled.
    """
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, given in zip(tasks, waits, strict=True):
            if task is not given:
                task.cancel()
    return next((task for task in tasks if task in done), None)


async def _one_connection(url: str, serve: Serve, duty: Duty) -> tuple[float, str]:
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
            duty.say(LinkState(Link.CONNECTED))
            reason = await serve(socket, duty)
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
