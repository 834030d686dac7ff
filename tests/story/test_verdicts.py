"""The answer to 'did the Safety Net ever try to close this Core position?', also when it is not 'No'."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from robson.story import Verdict, story_of_guard, story_of_position
from safetynet.models import GuardedPosition
from tests import factories
from tests.factories import NOON
from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import GuardState, IntentState, PositionState
from trading.models import Event, OrderIntent, Position
from trading.models.intent import Owner

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


def core(**fields: Any) -> Position:
    return factories.core_position(armed_at=NOON - timedelta(hours=1), **fields)


def safety_exit(guard: GuardedPosition, minutes: int) -> OrderIntent:
    at = NOON + timedelta(minutes=minutes)
    owner, state = Owner.SAFETY_NET, IntentState.DONE
    return factories.intent(
        guard.slot, owner=owner, state=state, guard_id=guard.pk, created_at=at, settled_at=at
    )


def verdict(position: Position) -> Verdict:
    return story_of_position(position, LATER).verdict


def test_an_order_of_the_safety_net_while_core_owned_the_slot_is_a_loud_yes() -> None:
    position = core()
    intent = safety_exit(factories.guard(opened_at=NOON), minutes=10)
    found = verdict(position)
    assert not found.fine
    assert f"YES: order intent {intent.pk} " in found.answer
    assert any(f"the Safety Net's intent {intent.pk} of 2026-03-02 12:10:00.000" in e for e in found.evidence)


def test_one_before_core_owned_the_slot_is_not() -> None:
    position = core()
    safety_exit(factories.guard(opened_at=NOON), minutes=-30)
    assert verdict(position).answer == "No."


def test_what_was_held_beside_it_is_not_it() -> None:
    position = core()
    safety_exit(factories.guard(opened_at=NOON, beside_position_id=position.pk), minutes=10)
    found = verdict(position)
    assert found.fine
    assert "what you held beside it" in found.answer


def test_a_position_that_was_never_entered_held_nothing_to_close() -> None:
    assert "nothing to close" in verdict(core(state=PositionState.ARMED)).answer


def test_a_poll_that_could_not_say_whose_it_was_is_evidence() -> None:
    position = core()
    journal.append(EventKind.GUARD_LEFT_ALONE, _SlotOnly(position), at=NOON, exclusion_set="cannot say")
    evidence = "\n".join(verdict(position).evidence)
    assert "could not say whose it was: left alone, no guard and no order" in evidence
    assert "Redis was away, and the database decided" in evidence


def test_a_guard_that_core_took_over_ended_without_an_order() -> None:
    guard = factories.guard(state=GuardState.RELEASED, opened_at=NOON, closed_at=LATER)
    found = story_of_guard(guard, LATER).verdict
    assert (found.answer, found.fine) == (
        "No: Core took the slot over, and the guard ended without an order.",
        True,
    )


def test_a_safety_exit_while_core_held_the_slot_is_found_from_the_guards_side_too() -> None:
    position, guard = core(), factories.guard(opened_at=NOON)
    safety_exit(guard, minutes=10)
    found = story_of_guard(guard, LATER).verdict
    assert not found.fine
    assert f"(position {position.pk})" in found.answer


def test_a_ban_of_the_account_during_its_life_is_part_of_the_story() -> None:
    for at in (NOON + timedelta(minutes=1), NOON - timedelta(days=1)):
        Event.objects.create(
            kind=EventKind.EXCHANGE_BANNED, at=at, data={"account": "main", "error": "-1003"}
        )
    (line,) = story_of_position(core(), LATER).lines
    assert (line.who, line.text) == ("Exchange", "The exchange wants no more calls on main: -1003")


def test_the_number_of_queries_does_not_grow_with_the_story(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    position = core()
    for minute in range(50):
        at = NOON + timedelta(minutes=minute)
        journal.append(EventKind.POSITION_STOP_RAISED, position, at=at, stop="1", before="2", extreme="3")
        safety_exit(factories.guard(state=GuardState.CLOSED, opened_at=at, closed_at=at), minute)
    position = Position.objects.select_related("slot__account").get()
    with django_assert_num_queries(6):
        assert len(story_of_position(position, LATER).lines) == 50


class _SlotOnly:
    """An event about the slot of a position, and nothing else."""

    def __init__(self, position: Position) -> None:
        self._slot_id = position.slot_id

    def event_links(self) -> dict[str, object]:
        return {"slot_id": self._slot_id}
