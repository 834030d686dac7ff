"""Entries and exits: run at once in a lane, pursued until they are settled, backed up by the exit task."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.db import Error as DatabaseError
from kombu.exceptions import OperationalError as BrokerError

from trading import entry, execution, gateway, queries, services
from trading.consumer.lanes import Lane, Lanes
from trading.consumer.watched import EntryWatch, StopWatch
from trading.domain.crossover import Signal
from trading.domain.lifecycle import LIVE_INTENT_STATES, PositionState
from trading.domain.rounding import people
from trading.domain.types import MarginPair, Tick
from trading.exchange.errors import ExchangeError
from trading.logcontext import about
from trading.models import OrderIntent, Position
from trading.planning import pair_of
from trading.tasks import execute_intent

log = logging.getLogger(__name__)

Result = TypeVar("Result")
ExitNow = Callable[[], OrderIntent | None]

RETRY_S = 0.5
ENTRY_TRIES = 6
# Somebody may have ended it meanwhile, or the clock was set back.
LOOK_AGAIN_S = 20.0
REASON = "trailing stop"


class Acting:
    """Starts what the market asks for and sees it through: from the event loop, in the lanes."""

    def __init__(self, lanes: Lanes, *, changed: Callable[[], None]) -> None:
        self._lanes = lanes
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[int] = set()

    def exit(self, watch: StopWatch, tick: Tick) -> None:
        """The stop is touched. The first attempt starts before anything else happens."""
        heard_at, lane = gateway.utc_now(), self._lanes.freest()
        reader = self._lanes.readers[lane]

        def exit_now() -> OrderIntent | None:
            return _exit_now(watch, tick, heard_at, reader)

        with about(watch.position):
            claimed = lane.submit(exit_now)
        self._follow(watch.position, self._exit(watch, tick, lane, exit_now, claimed))

    def enter(self, watch: EntryWatch, signal: Signal) -> None:
        self._follow(watch.position, self._enter(watch.position, signal))

    def pursue(self, position: Position) -> None:
        """See through what another process, or this one before its restart, has begun with this position."""
        if position.pk not in self._busy:
            self._follow(position, self._pursue(position, self._lanes.freest()))

    async def finish(self) -> None:
        """Let what is under way come to a recorded state."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=settings.INTENT_LEASE_S)

    def _follow(self, position: Position, work: Coroutine[Any, Any, None]) -> None:
        with about(position):
            task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._busy.add(position.pk)
        task.add_done_callback(lambda done: self._ended(position, done))

    def _ended(self, position: Position, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy.discard(position.pk)
        if not task.cancelled() and task.exception():
            log.critical("%s: ended by an error nobody expected", position, exc_info=task.exception())
        self._changed()

    async def _exit(
        self, watch: StopWatch, tick: Tick, lane: Lane, exit_now: ExitNow, claimed: Future[OrderIntent | None]
    ) -> None:
        position = watch.position
        try:
            intent = await asyncio.wrap_future(claimed)
        except Exception as error:  # noqa: BLE001  # a stop fires once: whatever it was, see it through
            _not_recorded(position, error)
            await asyncio.sleep(RETRY_S)
            intent = await self._until_recorded(position, lane, exit_now)
        log.info("%s: stop %s touched at %s", position, people(watch.stop.stop), people(tick.price))
        while intent is None and position.state == PositionState.ACTIVE:
            # Another exit is live in the slot. A touched stop stays touched, whatever the price does next.
            await asyncio.sleep(RETRY_S)
            intent = await self._until_recorded(position, lane, exit_now)
        if intent is not None and intent.state in LIVE_INTENT_STATES:
            # Beside what follows: a broker may hang, and it is not needed.
            backing = asyncio.create_task(self._back_up(intent))
            self._tasks.add(backing)
            backing.add_done_callback(self._tasks.discard)
        # Without an intent in hand, too: one may have been committed by a claim whose answer was lost.
        await self._pursue(position, lane)

    async def _enter(self, position: Position, signal: Signal) -> None:
        lane = self._lanes.freest()
        log.info("%s: signal %s at %s", position, signal.id, signal.price)
        why = await self._try_to_enter(position, signal, lane)
        if why:
            log.error("%s: signal %s given up: %s", position, signal.id, why)
            await self._until_recorded(position, lane, lambda: _give_up(position, why))
        await self._pursue(position, lane)

    async def _try_to_enter(self, position: Position, signal: Signal, lane: Lane) -> str:
        """Why it could not be tried to its end, empty if it was."""
        why = ""
        for _ in range(ENTRY_TRIES):
            try:
                await lane.run(lambda: _enter_now(position, signal))
                return ""
            except (ExchangeError, DatabaseError) as error:
                log.error("%s: entry not possible now, trying again: %s", position, error)
                why = str(error) or type(error).__name__
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # the detector is spent: it would stay armed for ever
                log.critical("%s: entry ended by an error nobody expected", position, exc_info=error)
                return f"{type(error).__name__}: {error}"
        return why

    async def _back_up(self, intent: OrderIntent) -> None:
        """The exit task takes over if this process does not come through. Without a broker the sweep does."""
        try:
            await self._lanes.others.run(
                lambda: execute_intent.apply_async((intent.pk,), countdown=settings.INTENT_LEASE_S + 1)
            )
        except (BrokerError, OSError) as error:
            log.warning("%s: no exit task could be queued: %s", intent, error)

    async def _pursue(self, position: Position, lane: Lane) -> None:
        """Work on the position's live intent whenever it is due, until there is none."""
        while True:
            due = await self._until_recorded(position, lane, lambda: _continue(position))
            if due is None:
                return
            await asyncio.sleep(_wait_s(due, gateway.utc_now()))

    async def _until_recorded(self, position: Position, lane: Lane, work: Callable[[], Result]) -> Result:
        """Nothing is sent without a record: while the database is away this tries again, and says so.

        So it does after an error that nobody expected: nobody else watches a stop that has fired.
        """
        while True:
            try:
                return await lane.run(work)
            except Exception as error:  # noqa: BLE001  # see above
                _not_recorded(position, error)
                await asyncio.sleep(RETRY_S)


def _wait_s(due: datetime, now: datetime) -> float:
    return min(max((due - now).total_seconds(), 0.01), LOOK_AGAIN_S)


def _not_recorded(position: Position, error: Exception) -> None:
    if isinstance(error, DatabaseError):
        log.critical("%s: the database is away, trying again: %s", position, error)
    elif isinstance(error, ExchangeError):
        log.critical("%s: not possible now, trying again: %s", position, error)
    else:
        log.critical("%s: an error nobody expected, trying again", position, exc_info=error)


def _continue(position: Position) -> datetime | None:
    intent_id = queries.live_intent_id(position)
    if intent_id is None:
        return None
    return execution.execute(intent_id, gateway.desk_for(position.slot.account))


def _enter_now(position: Position, signal: Signal) -> None:
    entry.enter(position=position, signal=signal, desk=gateway.desk_for(position.slot.account))


def _give_up(position: Position, why: str) -> None:
    entry.give_up(position, f"entry given up: {why}", gateway.utc_now())


def _exit_now(watch: StopWatch, tick: Tick, heard_at: datetime, reader: Lane) -> OrderIntent | None:
    position = watch.position
    try:
        desk = gateway.desk_for(position.slot.account)
    except gateway.MissingCredentials as error:
        log.critical("%s: its exit is left to a process that has the keys: %s", position, error)
        return services.request_exit(
            position=position, reason=REASON, at=gateway.utc_now(), trigger_price=tick.price, stop=watch.stop
        )
    return services.exit_now(
        position=position,
        reason=REASON,
        desk=desk,
        trigger_price=tick.price,
        triggered_at=heard_at,
        stop=watch.stop,
        begin_read=lambda: reader.submit(lambda: _read_pair(position)).result,
    )


def _read_pair(position: Position) -> MarginPair:
    return pair_of(gateway.exchange_for(position.slot.account), position.slot.symbol)
