"""The only way a row changes its state: one row of the transition table, with its event, or nothing."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from django.db import models, transaction

from trading import metrics
from trading.domain.events import EventKind
from trading.domain.lifecycle import GuardState, IntentState, PositionState, check_transition
from trading.domain.rounding import to_wire
from trading.logcontext import process_name
from trading.models import Event

State = TypeVar("State", PositionState, IntentState, GuardState)


class Linked(Protocol):
    """What an event can be about."""

    def event_links(self) -> dict[str, Any]:
        """The columns of `Event` that tie an event to this row."""


class Journaled(Linked, Protocol):
    """A row with a lifecycle: a Core position, an order intent, a guarded position."""

    pk: int
    state: str


class _Pending(threading.local):
    """Events of this thread's open `atomic` block, None outside of one."""

    events: list[Event] | None = None


_pending = _Pending()


@contextmanager
def atomic(*rows: Journaled) -> Iterator[None]:
    """A transaction that writes its events in one statement at its end.

    When it fails, it also takes back what `advance` changed on the rows in memory. Not to be nested.
    """
    states = [row.state for row in rows]
    _pending.events = []
    try:
        with transaction.atomic():
            yield
            Event.objects.bulk_create(_pending.events)
            count_once_committed(_pending.events)
    except BaseException:
        for row, state in zip(rows, states, strict=True):
            row.state = state
        raise
    finally:
        _pending.events = None


def source() -> str:
    """Which process this is, for the event log and for leases."""
    return f"{process_name()[:40]}:{os.getpid()}"


def event_of(kind: EventKind, row: Linked | None, *, at: datetime, **data: Any) -> Event:
    """An event about `row`, or about none, that is written nowhere yet."""
    return Event(kind=kind, at=at, data=_plain(data), source=source(), **(row.event_links() if row else {}))


def append(kind: EventKind, row: Linked | None, *, at: datetime, **data: Any) -> None:
    """Append an event about `row`, or none: at the end of `atomic`, else at once, in the caller's commit."""
    event = event_of(kind, row, at=at, **data)
    if _pending.events is None:
        event.save()
        count_once_committed([event])
    else:
        _pending.events.append(event)


def count_once_committed(events: Iterable[Event]) -> None:
    """Count events that the caller has written: those of a transaction when it is committed."""
    metrics.count_once_committed(*(metrics.EVENTS.labels(kind=event.kind) for event in events))


def kind_of_step(row: Journaled, to: PositionState | IntentState | GuardState) -> EventKind:
    """The event of the step to this state. Raises IllegalTransition if the table has no such step."""
    if isinstance(to, PositionState):
        return check_transition(PositionState(row.state), to)
    if isinstance(to, GuardState):
        return check_transition(GuardState(row.state), to)
    return check_transition(IntentState(row.state), to)


def advance(
    row: Journaled, to: State, *, at: datetime, data: dict[str, Any] | None = None, **fields: Any
) -> bool:
    """Move `row` to the state `to` and set `fields`; append the event of that step in the same transaction.

    False, with nothing changed, when another process moved the row first.
    Raises IllegalTransition if the table has no such step.
    """
    old = type(to)(row.state)
    kind = check_transition(old, to)
    model: type[models.Model] = type(row)  # type: ignore[assignment]  # a Protocol cannot say "and a Model"
    with transaction.atomic(savepoint=False):
        moved = model._default_manager.filter(pk=row.pk, state=old).update(state=to, **fields)
        if not moved:
            return False
        for name, value in fields.items():
            setattr(row, name, value)
        row.state = to
        append(kind, row, at=at, **(data or {}))
    return True


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """JSON without loss: decimals as fixed-point text, times in ISO form."""
    return {name: _plain_value(value) for name, value in data.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return to_wire(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value
