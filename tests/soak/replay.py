"""Each row's own events, told again through the transition tables, must lead to the state it is in."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
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

State = TypeVar("State", bound=StrEnum)
Table = Mapping[tuple[State, State], EventKind]


def position(kinds: Iterable[str]) -> PositionState:
    """The state that these events of a position lead to. Raises ValueError for a step that no table has."""
    return _replayed(kinds, POSITION_TRANSITIONS, EventKind.POSITION_ARMED, PositionState.ARMED)


def intent(kinds: Iterable[str]) -> IntentState:
    """The same for an order intent."""
    return _replayed(kinds, INTENT_TRANSITIONS, EventKind.INTENT_CLAIMED, IntentState.PENDING)


def guard(kinds: Iterable[str]) -> GuardState:
    """The same for a guard."""
    return _replayed(kinds, GUARD_TRANSITIONS, EventKind.GUARD_OPENED, GuardState.GUARDING)


def _replayed(kinds: Iterable[str], table: Table[State], opening: EventKind, first: State) -> State:
    told = list(kinds)
    if not told or told[0] != opening:
        raise ValueError(f"the story begins with {told[0] if told else 'nothing'}, not with {opening}")
    state, steps = first, set(table.values())
    for kind in told[1:]:
        if kind == opening:
            raise ValueError(f"{opening} a second time")
        if EventKind(kind) not in steps:
            continue
        after = [new for (old, new), step in table.items() if (old, step) == (state, kind)]
        if len(after) != 1:
            raise ValueError(f"{kind} cannot follow {state}")
        state = after[0]
    return state
