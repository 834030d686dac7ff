"""Which state may follow which, as tables. Whatever is not a row here cannot happen."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from trading.domain.events import EventKind


class PositionState(StrEnum):
    ARMED = "armed"
    ENTERING = "entering"
    ACTIVE = "active"
    EXITING = "exiting"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    ERROR = "error"


class IntentState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DONE = "done"
    DUST = "dust"
    REFUSED = "refused"


class GuardState(StrEnum):
    GUARDING = "guarding"
    EXITING = "exiting"
    CLOSED = "closed"
    RELEASED = "released"


OWNED_STATES = (PositionState.ENTERING, PositionState.ACTIVE, PositionState.EXITING)
"""Core may hold something on the exchange: the Safety Net keeps away."""

MANAGED_STATES = (PositionState.ARMED, *OWNED_STATES)
"""At most one such position per slot."""

LIVE_INTENT_STATES = (IntentState.PENDING, IntentState.SENDING, IntentState.UNKNOWN)
"""The intent may still put something on the exchange: at most one such exit per slot."""

LIVE_GUARD_STATES = (GuardState.GUARDING, GuardState.EXITING)

POSITION_TRANSITIONS: Mapping[tuple[PositionState, PositionState], EventKind] = MappingProxyType(
    {
        (PositionState.ARMED, PositionState.ENTERING): EventKind.POSITION_ENTERING,
        (PositionState.ARMED, PositionState.CANCELLED): EventKind.POSITION_DISARMED,
        (PositionState.ENTERING, PositionState.ACTIVE): EventKind.POSITION_ACTIVATED,
        (PositionState.ENTERING, PositionState.CANCELLED): EventKind.POSITION_CANCELLED,
        # Filled, and no stop can be given to it: Core lets go of it, and the Safety Net finds it.
        (PositionState.ENTERING, PositionState.ERROR): EventKind.POSITION_FAILED,
        (PositionState.ACTIVE, PositionState.EXITING): EventKind.POSITION_EXIT_REQUESTED,
        # Closed by hand or liquidated: there was never an exit of ours, so Exiting is skipped.
        (PositionState.ACTIVE, PositionState.CLOSED): EventKind.POSITION_CLOSED,
        (PositionState.EXITING, PositionState.CLOSED): EventKind.POSITION_CLOSED,
        # The owner has seen to it.
        (PositionState.ERROR, PositionState.CLOSED): EventKind.POSITION_CLOSED,
    }
)

INTENT_TRANSITIONS: Mapping[tuple[IntentState, IntentState], EventKind] = MappingProxyType(
    {
        (IntentState.PENDING, IntentState.SENDING): EventKind.INTENT_SENT,
        (IntentState.SENDING, IntentState.UNKNOWN): EventKind.INTENT_UNKNOWN,
        # The next attempt: provably nothing was accepted, or only a part was filled.
        (IntentState.SENDING, IntentState.PENDING): EventKind.INTENT_RETRIED,
        (IntentState.SENDING, IntentState.DONE): EventKind.INTENT_SETTLED,
        (IntentState.SENDING, IntentState.DUST): EventKind.INTENT_DUST,
        (IntentState.SENDING, IntentState.REFUSED): EventKind.INTENT_REFUSED,
        # Only past the fence, with trades and position agreeing that nothing happened.
        (IntentState.UNKNOWN, IntentState.PENDING): EventKind.INTENT_RETRIED,
        (IntentState.UNKNOWN, IntentState.DONE): EventKind.INTENT_SETTLED,
        (IntentState.UNKNOWN, IntentState.DUST): EventKind.INTENT_DUST,
        (IntentState.UNKNOWN, IntentState.REFUSED): EventKind.INTENT_REFUSED,
    }
)

GUARD_TRANSITIONS: Mapping[tuple[GuardState, GuardState], EventKind] = MappingProxyType(
    {
        (GuardState.GUARDING, GuardState.EXITING): EventKind.GUARD_EXIT_REQUESTED,
        (GuardState.GUARDING, GuardState.RELEASED): EventKind.GUARD_RELEASED,
        # The owner closed it by hand.
        (GuardState.GUARDING, GuardState.CLOSED): EventKind.GUARD_CLOSED,
        (GuardState.EXITING, GuardState.CLOSED): EventKind.GUARD_CLOSED,
    }
)


class IllegalTransition(Exception):
    """A state was to follow one that it cannot follow."""


State = TypeVar("State", PositionState, IntentState, GuardState)


def check_transition(old: State, new: State) -> EventKind:
    """The event that records this step. Raises IllegalTransition if the tables have no such row."""
    kind = _event_of(old, new)
    if kind is None:
        raise IllegalTransition(f"{type(old).__name__}: {old} cannot become {new}")
    return kind


def _event_of(old: StrEnum, new: StrEnum) -> EventKind | None:
    # Dispatch on the type: members of different enums with the same text compare (and hash) equal.
    if isinstance(old, PositionState) and isinstance(new, PositionState):
        return POSITION_TRANSITIONS.get((old, new))
    if isinstance(old, IntentState) and isinstance(new, IntentState):
        return INTENT_TRANSITIONS.get((old, new))
    if isinstance(old, GuardState) and isinstance(new, GuardState):
        return GUARD_TRANSITIONS.get((old, new))
    return None
