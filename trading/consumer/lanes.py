"""Lanes: single threads, each with its own warm database connection and its own warm exchange connections.

Cold code and a new TLS handshake cost more than everything else between a price and its order.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from trading import gateway, queries, services
from trading.exchange.errors import ExchangeError
from trading.logcontext import about, known

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Lane:
    """One thread that does one thing at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting = 0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        self.waiting += 1
        future = self._pool.submit(_as_named, known(), work)
        future.add_done_callback(self._done)
        return future

    async def run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.wrap_future(self.submit(work))

    def close(self) -> None:
        """Wait for the work under way: an exit that has begun is finished."""
        self._pool.submit(_close_connection)
        self._pool.shutdown(wait=True)

    def _done(self, _future: object) -> None:
        self.waiting -= 1


class Lanes:
    """A few lanes for exits and entries, each with a reader beside it; as many for what a stream missed.

    One each for books, for loading and for the rest. No exit waits behind a question about prices.
    """

    def __init__(self, count: int = 4) -> None:
        self.acting = [Lane(f"acting-{number}") for number in range(count)]
        self.readers = {lane: Lane(f"reader-{number}") for number, lane in enumerate(self.acting)}
        self.catching = [Lane(f"catching-{number}") for number in range(count)]
        self.books = Lane("books")
        self.loading = Lane("loading")
        self.others = Lane("others")

    def freest(self) -> Lane:
        return min(self.acting, key=lambda lane: lane.waiting + self.readers[lane].waiting)

    async def open(self) -> None:
        """Open every connection at once, before anything can be waiting. What cannot be is left to `warm`."""
        hot = (*self.acting, *self.readers.values(), *self.catching)
        await asyncio.gather(*(_keep_warm(lane) for lane in hot))

    async def warm(self) -> None:
        """Keep every connection open. A lane that cannot is tried again the next time."""
        await asyncio.gather(self._warm_acting(), *(_keep_warm(lane) for lane in self.catching))

    async def _warm_acting(self) -> None:
        """In turn: an exchange that lets the question hang must not hold an exit up in all of them."""
        for lane, reader in self.readers.items():
            await asyncio.gather(_keep_warm(lane), _keep_warm(reader))

    def close(self) -> None:
        others = (*self.catching, self.books, self.loading, self.others)
        for lane in (*self.acting, *self.readers.values(), *others):
            lane.close()


def _as_named(ids: Mapping[str, object], work: Callable[[], Result]) -> Result:
    """What is logged in a lane is about the same as what was being done when it was asked for."""
    with about(None, **ids):
        return _with_usable_connection(work)


def _with_usable_connection(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except DatabaseError:
        # Whatever broke it: the next piece of work begins on a new connection.
        connection.close()
        raise


def _close_connection() -> None:
    # Which connection that is depends on the thread that asks for it: here it is the lane's.
    connection.close()


async def _keep_warm(lane: Lane) -> None:
    if lane.waiting:
        return
    try:
        await lane.run(_warm)
    except (DatabaseError, ExchangeError) as error:
        log.warning("a lane could not be kept warm: %s", error)


def _warm() -> None:
    services.warm()
    failed: ExchangeError | None = None
    for account in queries.active_accounts():
        try:
            gateway.exchange_for(account).sync_clock()
        except ExchangeError as error:
            # One account without its keys must not leave the others cold.
            failed = error
    if failed is not None:
        raise failed
