"""A row changes its state by one step of the table, together with its event, or not at all."""

import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from tests import factories
from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import IllegalTransition, PositionState
from trading.models import Event, Position

pytestmark = pytest.mark.django_db(transaction=True)

EXITING = PositionState.EXITING
AT = factories.NOON


def state(position: Position) -> str:
    return Position.objects.get(pk=position.pk).state


def test_a_step_moves_its_own_row_only_and_in_memory_too() -> None:
    position, other = factories.core_position("BTCUSDT"), factories.core_position("ETHUSDT")
    assert journal.advance(position, EXITING, at=AT, exit_reason="test") is True
    assert (position.state, position.exit_reason) == (EXITING, "test")
    saved = Position.objects.get(pk=position.pk)
    assert (saved.state, saved.exit_reason) == (EXITING, "test")
    assert state(other) == "active"
    event = Event.objects.get()
    assert (event.kind, event.position, event.at, event.data) == ("position.exit_requested", position, AT, {})


def test_a_step_from_a_state_that_the_row_has_left_does_nothing() -> None:
    position = factories.core_position()
    Position.objects.filter(pk=position.pk).update(state=PositionState.CLOSED)
    assert journal.advance(position, EXITING, at=AT, exit_reason="test") is False
    assert (state(position), position.state, position.exit_reason) == ("closed", "active", "")
    assert not Event.objects.exists()


def test_a_step_that_the_table_does_not_have_is_refused() -> None:
    position = factories.core_position()
    with pytest.raises(IllegalTransition):
        journal.advance(position, PositionState.ARMED, at=AT)
    assert state(position) == "active"


def test_a_step_whose_event_cannot_be_written_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    position = factories.core_position()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(journal, "append", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        journal.advance(position, EXITING, at=AT)
    assert state(position) == "active"


def advance_and_fail(*positions: Position) -> None:
    with journal.atomic(*positions):
        for position in positions:
            journal.advance(position, EXITING, at=AT)
        assert not Event.objects.exists(), "they are written at the end"
        raise RuntimeError("crash")


def test_a_transaction_that_fails_leaves_neither_states_nor_events_nor_memories() -> None:
    positions = [factories.core_position(symbol) for symbol in ("BTCUSDT", "ETHUSDT")]
    with pytest.raises(RuntimeError, match="crash"):
        advance_and_fail(*positions)
    assert [position.state for position in positions] == ["active", "active"]
    assert [state(position) for position in positions] == ["active", "active"]
    assert not Event.objects.exists()
    # The next event is nobody's but its own.
    journal.append(EventKind.POSITION_EXIT_MARKED, positions[0], at=AT)
    assert Event.objects.count() == 1


def test_events_of_a_transaction_are_written_in_their_order() -> None:
    position = factories.core_position()
    with journal.atomic(position):
        journal.advance(position, EXITING, at=AT)
        journal.advance(position, PositionState.CLOSED, at=AT)
    kinds = Event.objects.order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["position.exit_requested", "position.closed"]


def test_an_event_outside_of_a_journal_belongs_to_the_callers_transaction() -> None:
    position = factories.core_position()
    with transaction.atomic():
        journal.append(EventKind.POSITION_EXIT_MARKED, position, at=AT)
        assert Event.objects.exists()
        transaction.set_rollback(True)
    assert not Event.objects.exists()


def test_an_event_keeps_its_data_as_text_without_loss() -> None:
    later = AT + timedelta(seconds=1)
    data = {"price": Decimal("1E+5"), "due": later, "number": 3, "reason": "test", "nothing": None}
    journal.append(EventKind.POSITION_EXIT_MARKED, factories.core_position(), at=AT, **data)
    assert Event.objects.get().data == {
        "price": "100000",
        "due": later.isoformat(),
        "number": 3,
        "reason": "test",
    }


@pytest.mark.parametrize(
    ("process", "arguments", "role"),
    [
        ("consumer", ["manage.py", "runserver"], "consumer"),
        ("", ["manage.py", "runserver"], "runserver"),
        ("", ["/usr/bin/robson"], "robson"),
    ],
)
def test_an_event_says_which_process_wrote_it(
    monkeypatch: pytest.MonkeyPatch, process: str, arguments: list[str], role: str
) -> None:
    monkeypatch.setenv("ROBSON_PROCESS", process)
    monkeypatch.setattr(sys, "argv", arguments)
    assert journal.source().partition(":")[0] == role
    long = "a" * 100
    monkeypatch.setenv("ROBSON_PROCESS", long)
    journal.append(EventKind.POSITION_EXIT_MARKED, factories.core_position(), at=AT)
    assert Event.objects.get().source.startswith(long[:40] + ":")
