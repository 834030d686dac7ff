"""Those who exit, each as its own process does it: at first, and again when that process is started anew."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from safetynet import poll
from safetynet import tasks as safetynet_tasks
from safetynet.models import GuardedPosition
from tests.faults.crash_points import Who
from trading import execution, gateway, operations, tasks
from trading.consumer import loading
from trading.consumer.acting import Acting
from trading.consumer.lanes import Lanes
from trading.consumer.market import Market, StopWatch
from trading.domain.lifecycle import LIVE_GUARD_STATES, LIVE_INTENT_STATES, PositionState
from trading.domain.types import Tick
from trading.models import Account, OrderIntent, Position
from trading.models.intent import Purpose

LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Task:
    """Whose exit it is. `row` is the id of a position, or of a guard for the Safety Net."""

    who: Who
    account_id: int
    row: int
    row_moved: bool = False


def exit_as(task: Task) -> None:
    """Exit, or go on with an exit that was begun; come back when nothing is left to do."""
    _EXITS[task.who](task)


def take_over(task: Task) -> None:
    """What the others do when that process does not come back: the poll, with its watchdog, and the sweep."""
    account = Account.objects.get(pk=task.account_id)
    while _unfinished(account):
        poll.poll(account, gateway.desk_for(account))
        _sweep_once(account)
        time.sleep(LOOK_EVERY_S)


def _as_consumer(task: Task) -> None:
    asyncio.run(_consume(task))


async def _consume(task: Task) -> None:
    """One position in the consumer, from its start on."""
    lanes, done = Lanes(count=1), asyncio.Event()
    acting = Acting(lanes, changed=done.set)
    market = Market(on_stop=acting.exit, on_signal=_never, on_gap=_never)
    position, loaded = await lanes.acting[0].run(lambda: _load(task))
    if loaded is not None:
        market.expect(position.slot.symbol)
        watch, ticks = loaded
        if task.row_moved:
            watch.position.quantity += 1
        market.add_stop(watch, ticks)
    elif position.state == PositionState.EXITING:
        acting.pursue(position)
    else:
        return
    await done.wait()


def _load(task: Task) -> tuple[Position, tuple[StopWatch, list[Tick]] | None]:
    position = Position.objects.select_related("slot__account").get(pk=task.row)
    return position, loading.load_stop(position) if position.state == PositionState.ACTIVE else None


def _never(*_: object) -> None:
    raise AssertionError("there is nothing to enter")


def _as_safety_net(task: Task) -> None:
    """The exit task, delivered again when its worker died, and the sweep."""
    safetynet_tasks.exit_guard(task.row)
    _work_off(task.account_id)


def _as_operator(task: Task) -> None:
    """The owner closes by hand: claimed here, executed by the exit task. Not done, he asks again."""
    position = Position.objects.select_related("slot__account").get(pk=task.row)
    if position.state == PositionState.ACTIVE:
        intent = operations.close_now(position=position, reason="closed by hand", by="owner")
        tasks.execute_intent(intent.pk)
    _work_off(task.account_id)


def _work_off(account_id: int) -> None:
    account = Account.objects.get(pk=account_id)
    while _live(account):
        _sweep_once(account)
        time.sleep(LOOK_EVERY_S)


def _sweep_once(account: Account) -> None:
    due = execution.due_intents(gateway.utc_now())
    for intent_id in set(due) & set(_live(account)):
        tasks.execute_intent(intent_id)


def _live(account: Account) -> list[int]:
    live = OrderIntent.objects.filter(
        slot__account=account, purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES
    )
    return list(live.values_list("pk", flat=True))


def _unfinished(account: Account) -> bool:
    open_states = (PositionState.ACTIVE, PositionState.EXITING)
    return (
        Position.objects.filter(slot__account=account, state__in=open_states).exists()
        or GuardedPosition.objects.filter(slot__account=account, state__in=LIVE_GUARD_STATES).exists()
    )


_EXITS: Mapping[Who, Callable[[Task], None]] = {
    "core": _as_consumer,
    "safety_net": _as_safety_net,
    "operator": _as_operator,
}
