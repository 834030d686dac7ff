"""Waiting for something to become true, with a deadline instead of a guess."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


async def until(condition: Callable[[], object], *, within_s: float = 15.0) -> None:
    """Return once `condition` holds. Raises AssertionError after `within_s` seconds."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + within_s
    while not condition():
        assert clock() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run something beside the block, and cancel it afterwards."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
