"""The claim of an exit by the consumer, prepared so that nothing is left to ask when the stop is touched."""

import threading
from decimal import Decimal
from typing import Any

from django.db import IntegrityError

from trading import claims, journal, single_statement
from trading.claims import Desk, SlotBusy, Terms
from trading.domain.lifecycle import PositionState, check_transition
from trading.domain.trailing import TrailingStop
from trading.models import OrderAttempt, Position
from trading.models.intent import Owner, Purpose

_EXITING = check_transition(PositionState.ACTIVE, PositionState.EXITING)
_COLUMNS = ("exit_reason", "stop_price", "extreme_price")
_EVENTS = 3


class _Spare(threading.local):
    """Ids of an intent and its first attempt that this thread has in reserve."""

    ids: tuple[int, int] | None = None


_spare = _Spare()


def warm() -> None:
    """Prepare this thread's next claim: the statement and the id of its intent."""
    if _spare.ids is None:
        _spare.ids = single_statement.reserve_ids()
    single_statement.warm(_COLUMNS, _EVENTS)


def claim(
    position: Position, reason: str, desk: Desk, price: Decimal | None, stop: TrailingStop | None
) -> OrderAttempt | None:
    """Commit Exiting, the intent and its first attempt in one statement.

    None, with nothing done, unless the row is Active and still is what the caller holds: then the longer way
    finds out what it is. Raises SlotBusy.
    """
    if stop is None or position.state != PositionState.ACTIVE:
        return None
    columns, data = change(position, reason, price, stop)
    intent = claims.born_sending(position.slot, terms(position, reason, price, Owner.CORE), desk)
    (intent.pk, attempt_id), _spare.ids = _spare.ids or single_statement.reserve_ids(), None
    attempt, events = claims.first_attempt(intent, desk)
    attempt.pk = attempt_id
    exiting = journal.event_of(_EXITING, position, at=intent.created_at, **data)
    try:
        moved = single_statement.move_and_insert(
            position,
            state=PositionState.EXITING,
            columns=columns,
            intent=intent,
            attempt=attempt,
            events=[exiting, *events],
        )
    except IntegrityError as error:
        raise SlotBusy(f"{position.slot}: an exit is already under way") from error
    if not moved:
        return None
    position.state = PositionState.EXITING
    for name, value in columns.items():
        setattr(position, name, value)
    for row in (attempt, intent):
        row._state.adding, row._state.db = False, "default"
    return attempt


def change(
    position: Position, reason: str, price: Decimal | None, stop: TrailingStop | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns that leave Active with the position, and what its event says."""
    columns = {
        "exit_reason": reason,
        "stop_price": position.stop_price,
        "extreme_price": position.extreme_price,
    }
    if stop and stop.extreme:
        columns |= {"stop_price": stop.stop, "extreme_price": stop.extreme}
    return columns, {"reason": reason, "price": price, "stop": stop.stop if stop else position.stop_price}


def terms(position: Position, reason: str, price: Decimal | None, owner: Owner) -> Terms:
    """What an exit of this position is about: all of it."""
    return Terms(
        purpose=Purpose.EXIT,
        owner=owner,
        quantity=position.quantity,
        reason=reason,
        position=position,
        trigger_price=price,
    )
