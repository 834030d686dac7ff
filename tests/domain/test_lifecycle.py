from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trading.domain.events import EventKind
from trading.domain.lifecycle import (
    GUARD_TRANSITIONS,
    INTENT_TRANSITIONS,
    LIVE_INTENT_STATES,
    MANAGED_STATES,
    OWNED_STATES,
    POSITION_TRANSITIONS,
    GuardState,
    IllegalTransition,
    IntentState,
    PositionState,
    check_transition,
)

TABLES: list[tuple[Any, Mapping[Any, EventKind], str, set[StrEnum]]] = [
    (PositionState, POSITION_TRANSITIONS, "position.", {PositionState.CLOSED, PositionState.CANCELLED}),
    (
        IntentState,
        INTENT_TRANSITIONS,
        "intent.",
        {IntentState.DONE, IntentState.DUST, IntentState.REFUSED},
    ),
    (GuardState, GUARD_TRANSITIONS, "guard.", {GuardState.CLOSED, GuardState.RELEASED}),
]
INITIAL: dict[Any, StrEnum] = {
    PositionState: PositionState.ARMED,
    IntentState: IntentState.PENDING,
    GuardState: GuardState.GUARDING,
}


@pytest.mark.parametrize(("states", "table", "prefix", "final"), TABLES)
def test_exactly_the_rows_of_the_table_are_allowed(
    states: Any, table: Mapping[Any, EventKind], prefix: str, final: set[StrEnum]
) -> None:
    for old in states:
        for new in states:
            if (old, new) in table:
                assert check_transition(old, new).startswith(prefix)
            else:
                with pytest.raises(IllegalTransition):
                    check_transition(old, new)


@pytest.mark.parametrize(("states", "table", "prefix", "final"), TABLES)
def test_only_final_states_have_no_way_out(
    states: Any, table: Mapping[Any, EventKind], prefix: str, final: set[StrEnum]
) -> None:
    assert {state for state in states if not any(old == state for old, _ in table)} == final


@pytest.mark.parametrize(("states", "table", "prefix", "final"), TABLES)
def test_every_state_can_be_reached_and_can_end(
    states: Any, table: Mapping[Any, EventKind], prefix: str, final: set[StrEnum]
) -> None:
    def reachable(start: StrEnum) -> set[StrEnum]:
        seen = {start}
        while more := {new for old, new in table if old in seen} - seen:
            seen |= more
        return seen

    assert reachable(INITIAL[states]) == set(states)
    assert all(reachable(state) & final for state in states)


def test_no_state_follows_itself_so_a_guarded_update_always_changes_the_row() -> None:
    for _, table, _, _ in TABLES:
        assert all(old != new for old, new in table)


def test_states_of_different_things_never_mix_although_their_texts_are_equal() -> None:
    position: Any = PositionState.EXITING
    guard: Any = GuardState.EXITING
    assert position == guard
    with pytest.raises(IllegalTransition):
        check_transition(position, GuardState.CLOSED)
    with pytest.raises(IllegalTransition):
        check_transition(guard, PositionState.ACTIVE)


def test_a_refusal_names_the_thing_and_both_states() -> None:
    with pytest.raises(IllegalTransition, match="PositionState: closed cannot become active"):
        check_transition(PositionState.CLOSED, PositionState.ACTIVE)


def test_a_signal_owns_the_slot_before_any_order_is_sent() -> None:
    assert PositionState.ARMED not in OWNED_STATES
    assert PositionState.ENTERING in OWNED_STATES
    assert set(OWNED_STATES) < set(MANAGED_STATES)


def test_a_position_that_may_hold_something_is_never_just_cancelled_once_active() -> None:
    for state in (PositionState.ACTIVE, PositionState.EXITING):
        with pytest.raises(IllegalTransition):
            check_transition(state, PositionState.CANCELLED)


def test_an_intent_is_live_until_it_is_settled() -> None:
    assert {state for state in IntentState if not any(old is state for old, _ in INTENT_TRANSITIONS)} == set(
        IntentState
    ) - set(LIVE_INTENT_STATES)


def test_every_kind_of_event_about_a_step_is_the_event_of_a_step() -> None:
    told = {*POSITION_TRANSITIONS.values(), *INTENT_TRANSITIONS.values(), *GUARD_TRANSITIONS.values()}
    assert {kind for kind in EventKind if kind not in told} == {
        EventKind.POSITION_ARMED,
        EventKind.POSITION_STOP_RAISED,
        EventKind.POSITION_EXIT_MARKED,
        EventKind.POSITION_REDUCED,
        EventKind.POSITION_MISSING,
        EventKind.POSITION_FOUND,
        EventKind.POSITION_RECOGNISED,
        EventKind.GUARD_LEFT_ALONE,
        EventKind.GUARD_OPENED,
        EventKind.GUARD_RECOMPUTED,
        EventKind.GUARD_EXEMPTED,
        EventKind.GUARD_EXEMPTION_ENDED,
        EventKind.INTENT_CLAIMED,
        EventKind.INTENT_FILLED,
        EventKind.INTENT_PARTIALLY_FILLED,
        EventKind.ACCOUNT_PAUSED,
        EventKind.ACCOUNT_RESUMED,
        EventKind.ACCOUNT_ADDED,
        EventKind.ACCOUNT_CHANGED,
        EventKind.ACCOUNT_SWITCHED_OFF,
        EventKind.ACCOUNT_SWITCHED_ON,
        EventKind.SCHEDULE_CHANGED,
        EventKind.EXCHANGE_BANNED,
    }


class LifeOfAPosition(RuleBasedStateMachine):
    """Try any step at any moment, as a service full of bugs would, and keep what the table lets through."""

    @initialize()
    def arm(self) -> None:
        self.state = PositionState.ARMED
        self.log: list[EventKind] = [EventKind.POSITION_ARMED]

    @rule(new=st.sampled_from(PositionState))
    def attempt(self, new: PositionState) -> None:
        try:
            self.log.append(check_transition(self.state, new))
        except IllegalTransition:
            return
        self.state = new

    @precondition(lambda self: self.state is PositionState.EXITING)
    @rule()
    def an_exit_can_always_end(self) -> None:
        assert check_transition(self.state, PositionState.CLOSED) is EventKind.POSITION_CLOSED

    @invariant()
    def the_log_tells_the_same_story_as_the_state(self) -> None:
        if self.state is PositionState.CLOSED:
            assert self.log[-1] is EventKind.POSITION_CLOSED
            assert EventKind.POSITION_ENTERING in self.log
        if self.state is PositionState.ACTIVE:
            assert EventKind.POSITION_ACTIVATED in self.log
        if self.state is PositionState.EXITING:
            assert self.log[-1] is EventKind.POSITION_EXIT_REQUESTED

    @invariant()
    def a_position_ends_once(self) -> None:
        ends = {EventKind.POSITION_CLOSED, EventKind.POSITION_CANCELLED, EventKind.POSITION_DISARMED}
        assert len([kind for kind in self.log if kind in ends]) <= 1

    @invariant()
    def it_becomes_active_at_most_once_by_a_fill(self) -> None:
        assert self.log.count(EventKind.POSITION_ACTIVATED) <= 1
        assert self.log.count(EventKind.POSITION_EXIT_REQUESTED) <= 1


LifeOfAPosition.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLifeOfAPosition = LifeOfAPosition.TestCase
