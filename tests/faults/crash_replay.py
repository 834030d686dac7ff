"""What the event log alone says about a row: its events, taken through the transition tables."""

from collections.abc import Mapping
from typing import TypeVar

from trading.domain.events import EventKind
from trading.domain.lifecycle import (
    GUARD_TRANSITIONS,
    INTENT_TRANSITIONS,
    POSITION_TRANSITIONS,
    GuardState,
    IntentState,
    PositionState,
)
from trading.models import Event

State = TypeVar("State", PositionState, IntentState, GuardState)


def intent(row: int) -> IntentState:
    """The state that the events of an intent lead to. Raises AssertionError if they contradict themselves."""
    return _replay(IntentState.PENDING, INTENT_TRANSITIONS, intent_id=row)


def position(row: int, begun: PositionState = PositionState.ARMED) -> PositionState:
    """The same of a Core position that was `begun` when its first event was written."""
    return _replay(begun, POSITION_TRANSITIONS, position_id=row)


def guard(row: int) -> GuardState:
    """The same of a guarded position."""
    return _replay(GuardState.GUARDING, GUARD_TRANSITIONS, guard_id=row)


def _replay(state: State, table: Mapping[tuple[State, State], EventKind], **about: int) -> State:
    steps = set(table.values())
    for event in Event.objects.filter(**about).order_by("id"):
        if EventKind(event.kind) in steps:
            followers = [to for (old, to), kind in table.items() if (old, kind) == (state, event.kind)]
            assert len(followers) == 1, f"{event.kind} cannot follow {state}"
            state = followers[0]
    return state
