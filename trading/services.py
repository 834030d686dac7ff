"""What is done with a Core position after its entry: trail, exit. A verb commits or changes nothing."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import Error as DatabaseError
from django.db import models, transaction

from trading import at_once, execution, journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import TrailingStop
from trading.execution import Claimed, Desk, Step, Terms
from trading.models import Account, OrderIntent, Position, Slot
from trading.models.intent import Owner, Purpose
from trading.planning import PairReader

log = logging.getLogger(__name__)

EXIT_COLUMNS = ("exit_reason", "stop_price", "extreme_price")


# Trail ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a trailing stop has got to: prices in quote currency, exchange time in ms.

    `announced` is the stop that was last put into the event log, when this one is to go there too.
    """

    position_id: int
    extreme: Decimal
    stop: Decimal
    time_ms: int
    announced: Decimal | None = None

    @property
    def tightens(self) -> models.Q:
        """Positions whose stop is no tighter than this one, which lies below the extreme for a long."""
        side = "lte" if self.stop < self.extreme else "gte"
        return models.Q((f"stop_price__{side}", self.stop))


def save_progress(*, batch: Iterable[Progress], at: datetime) -> None:
    """Persist extremes and stops that moved. A position that left Active, or is further, stays as it is.

    So does one whose stop is tighter already: whoever would loosen it has missed a price.
    """
    with transaction.atomic():
        for progress in batch:
            saved = Position.objects.filter(
                progress.tightens,
                pk=progress.position_id,
                state=PositionState.ACTIVE,
                extreme_time_ms__lte=progress.time_ms,
            ).update(
                extreme_price=progress.extreme, stop_price=progress.stop, extreme_time_ms=progress.time_ms
            )
            if saved and progress.announced is not None:
                _announce_stop(progress, at)


def _announce_stop(progress: Progress, at: datetime) -> None:
    journal.append(
        EventKind.POSITION_STOP_RAISED,
        Position.objects.get(pk=progress.position_id),
        at=at,
        stop=progress.stop,
        before=progress.announced,
        extreme=progress.extreme,
    )


# Exit -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trigger:
    """What set an exit off: a price in quote currency, and when it was received; None where there is none."""

    price: Decimal | None
    at: datetime | None


def request_exit(
    *,
    position: Position,
    reason: str,
    at: datetime,
    trigger_price: Decimal | None = None,
    owner: Owner = Owner.CORE,
    stop: TrailingStop | None = None,
    by: str = "",
) -> OrderIntent | None:
    """Commit Exiting with its order intent, for the exit task to execute.

    `stop` is the trailing stop as the caller last saw it, `by` the person who asked for the exit. None when
    the position is not Active (any more), or when another exit is live in its slot.
    """
    trigger = Trigger(trigger_price, at)
    columns, data = _change(position, reason, trigger, stop)
    try:
        with journal.atomic(position):
            slot = _leave_active(position, at, columns, {**data, "by": by or None})
            terms = _terms(position, reason, trigger, owner)
            return execution.claim(slot, terms, at=at) if slot else None
    except execution.SlotBusy as busy:
        _not_claimed(position, busy)
        return None


def exit_now(
    *,
    position: Position,
    reason: str,
    desk: Desk,
    trigger_price: Decimal | None = None,
    triggered_at: datetime | None = None,
    stop: TrailingStop | None = None,
    begin_read: Callable[[], PairReader] | None = None,
) -> OrderIntent | None:
    """The same, executed at once: claim and first attempt are one commit, then the order goes out.

    `triggered_at` is when the trigger price was received, `stop` the trailing stop as the caller last saw it;
    `begin_read` starts to read the exchange's holding while that commit is under way. Comes back with the
    intent in whatever state it then has; None as in `request_exit`.
    """
    trigger = Trigger(trigger_price, triggered_at)
    try:
        claimed = _claim_at_once(position, reason, desk, trigger, stop, begin_read=begin_read)
        claimed = claimed or _claim_and_begin(position, reason, desk, trigger, stop)
    except execution.SlotBusy as busy:
        _not_claimed(position, busy)
        return None
    if claimed is None:
        return None
    execution.run_attempt(claimed.attempt, desk, claimed.early)
    at_once.reserve()
    intent = claimed.attempt.intent
    intent.refresh_from_db()
    return intent


def warm() -> None:
    """Prepare this thread's next `exit_now`."""
    at_once.warm(Position, EXIT_COLUMNS)


def _claim_at_once(
    position: Position,
    reason: str,
    desk: Desk,
    trigger: Trigger,
    stop: TrailingStop | None,
    *,
    begin_read: Callable[[], PairReader] | None = None,
) -> Claimed | None:
    """The short way. None, with nothing done, if the row is not what the caller holds."""
    if position.state != PositionState.ACTIVE:
        return None
    columns, data = _change(position, reason, trigger, stop)
    step = Step(position, PositionState.EXITING, columns, data)
    terms = _terms(position, reason, trigger, Owner.CORE)
    return execution.claim_at_once(position.slot, step, terms, desk=desk, begin_read=begin_read)


def _claim_and_begin(
    position: Position, reason: str, desk: Desk, trigger: Trigger, stop: TrailingStop | None
) -> Claimed | None:
    columns, data = _change(position, reason, trigger, stop)
    with journal.atomic(position):
        slot = _leave_active(position, desk.clock(), columns, data)
        terms = _terms(position, reason, trigger, Owner.CORE)
        return Claimed(execution.claim_and_begin(slot, terms, desk=desk)) if slot else None


def _leave_active(
    position: Position, at: datetime, columns: dict[str, Any], data: dict[str, Any]
) -> Slot | None:
    """Lock the slot and move the position to Exiting; None, with the row up to date, if not Active."""
    slot = execution.lock_slot(position.slot_id)
    # Read under the lock, in a statement of its own: one that waits for the lock sees what was true before.
    position.refresh_from_db(fields=["state", "quantity"])
    if position.state != PositionState.ACTIVE:
        return None
    exiting = journal.advance(position, PositionState.EXITING, at=at, data=data, **columns)
    return slot if exiting else None


def _change(
    position: Position, reason: str, trigger: Trigger, stop: TrailingStop | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns that leave Active with the position, and what its event says."""
    columns = {
        "exit_reason": reason,
        "stop_price": position.stop_price,
        "extreme_price": position.extreme_price,
    }
    if stop and stop.extreme:
        columns |= {"stop_price": stop.stop, "extreme_price": stop.extreme}
    stop_price = stop.stop if stop else position.stop_price
    return columns, {"reason": reason, "price": trigger.price, "stop": stop_price}


def _terms(position: Position, reason: str, trigger: Trigger, owner: Owner) -> Terms:
    """What an exit of this position is about: all of it."""
    return Terms(
        purpose=Purpose.EXIT,
        owner=owner,
        quantity=position.quantity,
        reason=reason,
        position=position,
        trigger_price=trigger.price,
        triggered_at=trigger.at,
    )


def _not_claimed(position: Position, busy: execution.SlotBusy) -> None:
    log.warning("exit of %s not claimed: %s", position, busy)
    position.refresh_from_db(fields=["state"])


def panic(*, account: Account, reason: str, at: datetime, by: str = "") -> list[OrderIntent]:
    """Flatten Core: pause entries, disarm what is armed, and claim an exit for every Active position.

    What is Entering is marked, and exited in the very transaction that records its fill. Raises DatabaseError
    if it failed for a position, once all others have had their turn.
    """
    failed: list[DatabaseError] = []
    Account.objects.filter(pk=account.pk).update(entries_paused=True)
    mine = Position.objects.select_related("slot__account").filter(slot__account=account)
    data = {"reason": reason, "by": by or None}
    for armed in mine.filter(state=PositionState.ARMED):
        with _in_turn(armed, failed):
            journal.advance(armed, PositionState.CANCELLED, at=at, data=data, note=reason, closed_at=at)
    # Before the Active ones are read: an entry that is recorded meanwhile is found among them.
    for entering in mine.filter(state=PositionState.ENTERING):
        with _in_turn(entering, failed):
            _mark(entering, at, data)
    requested: list[OrderIntent | None] = []
    for active in mine.filter(state=PositionState.ACTIVE):
        with _in_turn(active, failed):
            asked = request_exit(position=active, reason=reason, at=at, owner=Owner.OPERATOR, by=by)
            requested.append(asked)
    if failed:
        raise failed[0]
    return [intent for intent in requested if intent is not None]


@contextmanager
def _in_turn(position: Position, failed: list[DatabaseError]) -> Iterator[None]:
    """One locked row must not keep the others open."""
    try:
        yield
    except DatabaseError as error:
        log.critical("%s: nothing was done about it: %s", position, error)
        failed.append(error)


def _mark(position: Position, at: datetime, data: dict[str, str | None]) -> None:
    """Have an entry that is under way exited once it is filled."""
    with transaction.atomic():
        entering = Position.objects.filter(pk=position.pk, state=PositionState.ENTERING)
        if entering.update(exit_reason=data["reason"]):
            journal.append(EventKind.POSITION_EXIT_MARKED, position, at=at, **data)
            log.info("%s: its entry is under way and is exited once it is filled", position)
