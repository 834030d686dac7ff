"""Counters tell what the database tells: no more after a roll-back, no less after a retry."""

import ast
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from tests import factories
from tests.trading.counting import counted
from tests.trading.support import PROJECT
from tests.trading.world import World
from trading import journal, metrics, operations, services
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Event, OrderIntent, Position

pytestmark = pytest.mark.django_db(transaction=True)

AT = factories.NOON


def written() -> "Counter[tuple[str, ...]]":
    """The event log, by kind."""
    return Counter((kind,) for kind in Event.objects.values_list("kind", flat=True))


def test_an_event_is_counted_when_it_is_committed_and_not_before() -> None:
    position = factories.core_position()
    with counted(metrics.EVENTS) as committed:
        with transaction.atomic(), counted(metrics.EVENTS) as open_:
            journal.append(EventKind.POSITION_EXIT_MARKED, position, at=AT)
        assert not open_
    assert committed == written() == {("position.exit_marked",): 1}


def test_an_event_that_is_rolled_back_is_not_counted() -> None:
    position = factories.core_position()
    with counted(metrics.EVENTS) as added:
        _crashes_at_its_end(position)
        with transaction.atomic():
            journal.append(EventKind.POSITION_EXIT_MARKED, position, at=AT)
            transaction.set_rollback(True)
        with transaction.atomic():
            _fails_inside(position)
            journal.append(EventKind.POSITION_REDUCED, position, at=AT)
    assert added == written() == {("position.reduced",): 1}


def _crashes_at_its_end(position: Position) -> None:
    with suppress(RuntimeError), journal.atomic(position):
        journal.advance(position, PositionState.EXITING, at=AT)
        raise RuntimeError


def _fails_inside(position: Position) -> None:
    with suppress(IntegrityError), transaction.atomic():
        journal.append(EventKind.POSITION_FOUND, position, at=AT)
        Position.objects.filter(pk=position.pk).update(state="nonsense")


def test_a_position_is_counted_from_arming_to_closing_like_its_events(world: World) -> None:
    with counted(metrics.EVENTS) as events, counted(metrics.INTENTS) as settled:
        position = world.enter()
        services.exit_now(position=position, reason="test", desk=world.desk)
    assert events == written()
    assert events["position.closed",] == 1
    assert settled == {("core", "entry", "done"): 1, ("core", "exit", "done"): 1}


def test_an_exit_that_takes_several_attempts_is_settled_and_counted_once(world: World) -> None:
    position = world.enter()
    world.control.fault("timeout_after_accept", path="margin/order", count=1)
    with counted(metrics.EVENTS) as events, counted(metrics.INTENTS) as settled:
        before = written()
        world.settle(world.request_exit(position))
        assert (written() - before)["intent.unknown",] == 1
    assert events == written() - before
    assert settled == {("core", "exit", "done"): 1}
    assert OrderIntent.objects.filter(purpose="exit", state="done").count() == 1


def test_what_a_person_did_to_an_account_is_counted(world: World) -> None:
    with counted(metrics.EVENTS) as events:
        operations.pause_entries(account=world.account, paused=True, reason="news", by="owner")
        operations.panic(account=world.account, reason="enough", by="owner")
    assert events == written() == {("account.paused",): 1}
    assert Event.objects.get().data == {"account": "main", "reason": "news", "by": "owner"}


def test_counting_outside_of_a_transaction_asks_no_connection() -> None:
    """The claim of an exit is committed: a connection that breaks then must not stop its order."""
    event = journal.event_of(EventKind.INTENT_SENT, factories.core_position(), at=AT)
    connection.close()
    with counted(metrics.EVENTS) as added:
        journal.count_once_committed([event])
    assert connection.connection is None
    assert added == {("intent.sent",): 1}


def _writers() -> Iterator[str]:
    """Calls that would write an event beside the journal."""
    for path in (
        file for app in ("trading", "safetynet", "robson") for file in Path(PROJECT, app).rglob("*.py")
    ):
        if "migrations" in path.parts or path == PROJECT / "trading" / "journal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "Event",
                "Event.objects.create",
                "Event.objects.bulk_create",
            }:
                yield f"{path}:{node.lineno}"


def test_events_are_written_and_counted_at_one_place() -> None:
    assert list(_writers()) == []
