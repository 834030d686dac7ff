"""`robson pause`: no new entries, and nothing else changes."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests import factories
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Event

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_pause_stops_entries_and_records_who_and_why() -> None:
    account = factories.account()
    assert "Entries are paused on main" in said("pause", "--reason", "news at noon")
    account.refresh_from_db()
    assert account.entries_paused
    event = Event.objects.get(kind=EventKind.ACCOUNT_PAUSED)
    assert (event.data["reason"], bool(event.data["by"])) == ("news at noon", True)


def test_pause_leaves_positions_alone() -> None:
    states = [PositionState.ARMED, PositionState.ACTIVE]
    positions = [factories.core_position(f"C{state.upper()}USDT", state=state) for state in states]
    said("pause", "--reason", "news")
    for position, state in zip(positions, states, strict=True):
        position.refresh_from_db()
        assert position.state == state


def test_a_second_pause_changes_nothing_and_tells_who_paused_first_and_why() -> None:
    factories.account()
    said("pause", "--reason", "news at noon")
    text = said("pause", "--reason", "again")
    assert "paused on main already" in text
    assert "news at noon" in text
    assert Event.objects.count() == 1


def test_a_pause_of_which_no_event_tells_is_told_all_the_same() -> None:
    factories.account(entries_paused=True)
    assert "Entries are paused on main already. Nothing was changed." in said("pause", "--reason", "news")


def test_pause_as_json_says_whether_it_changed_anything() -> None:
    factories.account()
    first, second = (json.loads(said("pause", "--reason", "news", "--json")) for _ in range(2))
    assert first == {"account": "main", "entries_paused": True, "changed": True}
    assert second == {"account": "main", "entries_paused": True, "changed": False}


def test_resume_ends_a_pause_and_a_second_one_says_so() -> None:
    account = factories.account()
    said("pause", "--reason", "news")
    assert "allowed again on main" in said("resume")
    assert "were not paused on main" in said("resume")
    account.refresh_from_db()
    assert not account.entries_paused


def test_with_several_accounts_one_must_be_named() -> None:
    factories.account("main")
    other = factories.account("second")
    with pytest.raises(CommandError, match="main, second"):
        said("pause", "--reason", "news")
    said("pause", "--reason", "news", "--account", "main")
    other.refresh_from_db()
    assert not other.entries_paused


def test_a_pause_needs_a_reason() -> None:
    factories.account()
    with pytest.raises(CommandError, match="--reason"):
        said("pause")
