"""The one who reads for all viewers: a picture every second, only while somebody watches.

All of it lives in the event loop of the web process; only reading and drawing happen in a thread, which has a
connection to the database of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from robson.desk.picture import Picture, picture
from robson.desk.snapshot import snapshot

log = logging.getLogger(__name__)

EVERY_S = 1.0
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class View:
    """What is known. `number` grows with each reading; `trouble` says why there is no newer picture."""

    number: int = 0
    picture: Picture | None = None
    trouble: str = ""


class Feed:
    """One per process. Not for use from more than one event loop."""

    def __init__(self, read: Callable[[datetime], Picture] | None = None) -> None:
        self._read = read or (lambda now: picture(snapshot(now)))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._view = View()
        self._news = asyncio.Condition()
        self._watchers = 0
        self._reader: asyncio.Task[None] | None = None

    @property
    def watchers(self) -> int:
        return self._watchers

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """As long as one of these is open, pictures are made."""
        self._watchers += 1
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            self._watchers -= 1

    async def newer(self, than: int) -> View:
        """Wait for the next reading. The first one after a pause is fresh as well."""
        async with self._news:
            await self._news.wait_for(lambda: self._view.number > than)
            return self._view

    @property
    def latest(self) -> int:
        """The number of the last reading."""
        return self._view.number

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the database in the reader's thread. Raises what `question` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)

    async def _go_on(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._watchers:
            started = clock()
            view = await self._next()
            async with self._news:
                self._view = view
                self._news.notify_all()
            await asyncio.sleep(max(0.0, EVERY_S - (clock() - started)))
            if not self._watchers:
                # Somebody may come meanwhile: then it goes on.
                await self.ask(_disconnect)

    async def _next(self) -> View:
        number = self._view.number + 1
        try:
            return View(number, await self.ask(lambda: self._read(timezone.now())))
        except DatabaseError as error:
            log.warning("the desk's page cannot be kept up to date: %s", error)
            trouble = f"The database does not answer: {(str(error).strip() or '?').splitlines()[0]}"
        except Exception:
            # Viewers must learn of it: a page that is silent is taken for a healthy one.
            log.exception("the desk's page cannot be kept up to date")
            trouble = "An error nobody expected; the log of the web process has it."
        await self.ask(_disconnect)
        return replace(self._view, number=number, trouble=trouble)


def _disconnect() -> None:
    # Looked up in the thread that asks: each has a connection of its own.
    connection.close()
