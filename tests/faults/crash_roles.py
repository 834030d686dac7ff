"""Those who exit, each as its own process does it: at first, and again when that process is started anew."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from safetynet import poll
from safetynet import tasks as safetynet_tasks
from safetynet.models import GuardedPosition
from tests.faults.crash_points import Who
from trading import execution, gateway, operations, tasks
from trading.consumer import loading
from trading.consumer.acting import Acting
from trading.consumer.lanes import Lanes
from trading.consumer.market import Market
from trading.consumer.watched import StopWatch
from trading.domain.lifecycle import LIVE_GUARD_STATES, LIVE_INTENT_STATES, PositionState
from trading.domain.types import Tick
from trading.models import Account, OrderIntent, Position
from trading.models.intent import Purpose

LOOK_EVERY_S = 0.05
POLL_EVERY_S = 0.5
LANES = 3

Loaded = tuple[StopWatch, list[Tick]]


@dataclass(frozen=True, slots=True)
class Task:
    """Whose exit it is. `row` is the id of a position, or of a guard for the Safety Net.

    `row_moved`: another process changes the position between its loading and its exit.
    """

    who: Who
    account_id: int
    row: int
    row_moved: bool = False


def exit_all(who: Who, of: list[Task]) -> None:
    """Exit, or go on with exits that were begun; come back when nothing is left to do."""
    _EXITS[who](of)


def take_over(of: list[Task]) -> None:
    """What the others do when that process does not come back: the poll, with its watchdog, and the sweep."""
    accounts = {task.account_id for task in of}
    while unfinished := Account.objects.filter(pk__in=accounts & _with_something_open()):
        for account in unfinished:
            poll.poll(account, gateway.desk_for(account))
        _sweep(accounts)
        time.sleep(POLL_EVERY_S)


def _as_consumer(of: list[Task]) -> None:
    asyncio.run(_consume(of))


async def _consume(of: list[Task]) -> None:
    """These positions in the consumer, from its start on."""
    lanes, changed = Lanes(count=min(LANES, len(of))), asyncio.Event()
    acting = Acting(lanes, changed=changed.set)
    market = Market(on_stop=acting.exit, on_signal=_never, on_gap=_never)
    for task in of:
        await _begin(task, lanes, acting, market)
    while await lanes.acting[0].run(partial(_still_open, {task.row for task in of})):
        await changed.wait()
        changed.clear()


async def _begin(task: Task, lanes: Lanes, acting: Acting, market: Market) -> None:
    position, loaded = await lanes.acting[0].run(partial(_load, task.row))
    if loaded is not None:
        market.expect(position.slot.symbol)
        watch, ticks = loaded
        if task.row_moved:
            watch.position.quantity += 1
        market.add_stop(watch, ticks)
    elif position.state == PositionState.EXITING:
        acting.pursue(position)


def _load(row: int) -> tuple[Position, Loaded | None]:
    position = Position.objects.select_related("slot__account").get(pk=row)
    return position, loading.load_stop(position) if position.state == PositionState.ACTIVE else None


def _still_open(rows: set[int]) -> bool:
    return Position.objects.filter(pk__in=rows).exclude(state=PositionState.CLOSED).exists()


def _never(*_: object) -> None:
    raise AssertionError("there is nothing to enter")


def _as_safety_net(of: list[Task]) -> None:
    """The exit task, delivered again when its worker died, and the sweep."""
    for task in of:
        safetynet_tasks.exit_guard(task.row)
    _work_off(of)


def _as_operator(of: list[Task]) -> None:
    """The owner closes by hand: claimed here, executed by the exit task. Not done, he asks again."""
    for position in Position.objects.select_related("slot__account").filter(pk__in=[task.row for task in of]):
        if position.state == PositionState.ACTIVE:
            intent = operations.close_now(position=position, reason="closed by hand", by="owner")
            tasks.execute_intent(intent.pk)
    _work_off(of)


def _work_off(of: Iterable[Task]) -> None:
    accounts = {task.account_id for task in of}
    while _live(accounts):
        _sweep(accounts)
        time.sleep(LOOK_EVERY_S)


def _sweep(accounts: set[int]) -> None:
    due = execution.due_intents(gateway.utc_now())
    for intent_id in set(due) & set(_live(accounts)):
        tasks.execute_intent(intent_id)


def _live(accounts: set[int]) -> list[int]:
    live = OrderIntent.objects.filter(
        slot__account__in=accounts, purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES
    )
    return list(live.values_list("pk", flat=True))


def _with_something_open() -> set[int]:
    positions = Position.objects.filter(state__in=(PositionState.ACTIVE, PositionState.EXITING))
    guards = GuardedPosition.objects.filter(state__in=LIVE_GUARD_STATES)
    return {
        account for rows in (positions, guards) for account in rows.values_list("slot__account", flat=True)
    }


_EXITS: Mapping[Who, Callable[[list[Task]], None]] = {
    "core": _as_consumer,
    "safety_net": _as_safety_net,
    "operator": _as_operator,
}
