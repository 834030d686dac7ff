"""A claim by an executor who acts at once, prepared so that nothing is left to ask when a stop is touched."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, models

from trading import claims, journal, single_statement
from trading.claims import Desk, Terms
from trading.domain.lifecycle import GuardState, PositionState
from trading.models import OrderAttempt, Slot
from trading.planning import EarlyRead, PairReader
from trading.single_statement import ALWAYS, Provided, Rows

# The step itself, the claim, and the first attempt.
_EVENTS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """The step that goes with a claim: `row` moves to the state `to`, with these columns and event data."""

    row: Any
    to: PositionState | GuardState
    columns: Mapping[str, Any]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim came to: its first attempt, and a reading of the holding that was begun beside it."""

    attempt: OrderAttempt
    early: EarlyRead | None = None


class _Spare(threading.local):
    """Ids of an intent and its first attempt that this thread has in reserve."""

    ids: tuple[int, int] | None = None


_spare = _Spare()


def reserve() -> None:
    """Have the ids of this thread's next claim at hand."""
    if _spare.ids is None:
        _spare.ids = single_statement.reserve_ids()


def warm(model: type[models.Model], columns: Sequence[str]) -> None:
    """Prepare this thread's next claim that moves a row of `model` and sets these columns."""
    reserve()
    single_statement.warm(model, columns, _EVENTS)


def claim_at_once(
    slot: Slot,
    step: Step,
    terms: Terms,
    *,
    desk: Desk,
    provided: Provided = ALWAYS,
    begin_read: Callable[[], PairReader] | None = None,
) -> Claimed | None:
    """Commit the step, the intent and its first attempt in one statement.

    None, with nothing done, unless the row still has the state and the quantity that the caller holds, and
    what is `provided`. `begin_read` starts to read the exchange's holding, once all that is left is to wait
    for the database. Raises SlotBusy.
    """
    intent = claims.born_sending(slot, terms, desk)
    (intent.pk, attempt_id), _spare.ids = _spare.ids or single_statement.reserve_ids(), None
    attempt, (claimed, sent) = claims.first_attempt(intent, desk)
    attempt.pk = attempt_id
    kind = journal.kind_of_step(step.row, step.to)
    moved = journal.event_of(kind, step.row, at=intent.created_at, **step.data)
    rows: Rows = (intent, attempt, moved, claimed, sent)
    early: list[EarlyRead] = []
    meanwhile = (lambda: early.append(_begun(begin_read, desk))) if begin_read else None
    try:
        done = single_statement.move_and_insert(
            step.row, step.to, step.columns, rows, provided=provided, meanwhile=meanwhile
        )
    except IntegrityError as error:
        claims.busy_or_raise(error, intent)
    if not done:
        return None
    journal.count_once_committed((moved, claimed, sent))
    for name, value in {"state": step.to, **step.columns}.items():
        setattr(step.row, name, value)
    for row in (attempt, intent):
        row._state.adding, row._state.db = False, "default"
    return Claimed(attempt, early[0] if early else None)


def _begun(begin_read: Callable[[], PairReader], desk: Desk) -> EarlyRead:
    # The time first: a reading may be taken for older than it is, never for newer.
    began = desk.clock()
    return EarlyRead(begin_read(), began)
