"""The consumer's claim as one statement leaves exactly what the ORM's way leaves."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.trading.world import World, until, waiting_for_a_lock
from trading import execution, services
from trading.domain.lifecycle import PositionState
from trading.execution import Desk
from trading.models import Event, OrderAttempt, OrderIntent, Position
from trading.models.intent import Owner

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "trailing stop"
PASSING = {"id", "at", "created_at", "next_attempt_at", "lease_until", "timestamp_ms", "client_order_id"}


def claim(position: Position, reason: str, desk: Desk, price: Any, stop: Any) -> OrderAttempt | None:
    claimed = services._claim_at_once(position, reason, desk, services.Trigger(price, factories.NOON), stop)
    return claimed.attempt if claimed else None


def columns(row: models.Model) -> dict[str, Any]:
    """What does not depend on the moment or on the place in a sequence."""
    fields = (field.attname for field in row._meta.local_concrete_fields)
    return {name: getattr(row, name) for name in fields if name not in PASSING}


def left_behind(position: Position) -> dict[str, Any]:
    """Everything in the database that belongs to the position, without its ids."""
    fresh = Position.objects.get(pk=position.pk)
    intent = OrderIntent.objects.get(position=fresh)
    attempt = OrderAttempt.objects.get(intent=intent)
    events = Event.objects.filter(position=fresh).order_by("id")
    ours = {"slot_id", "position_id", "intent_id"}
    rows = {"position": fresh, "intent": intent, "attempt": attempt}
    found: dict[str, Any] = {
        name: {key: value for key, value in columns(row).items() if key not in ours}
        for name, row in rows.items()
    }
    found["events"] = [
        (
            event.kind,
            {**event.data, "client_order_id": None},
            event.intent_id == intent.pk,
            event.slot_id == fresh.slot_id,
        )
        for event in events
    ]
    found["position"].pop("armed_at")
    return found


def test_both_ways_leave_the_same_rows(world: World) -> None:
    swift, slow = factories.core_position("BTCUSDT"), factories.core_position("ETHUSDT")
    price = swift.entry_price
    attempt = claim(swift, REASON, world.desk, price, swift.trailing)
    assert attempt is not None
    trigger = services.Trigger(price, factories.NOON)
    assert services._claim_and_begin(slow, REASON, world.desk, trigger, slow.trailing) is not None
    assert left_behind(swift) == left_behind(slow)


def test_the_rows_in_memory_are_the_rows_in_the_database(world: World) -> None:
    position = factories.core_position()
    attempt = claim(position, REASON, world.desk, position.entry_price, position.trailing)
    assert attempt is not None
    saved = OrderAttempt.objects.select_related("intent").get(pk=attempt.pk)
    assert columns(saved) == columns(attempt)
    assert columns(saved.intent) == columns(attempt.intent)
    assert (saved.client_order_id, saved.intent_id) == (attempt.client_order_id, attempt.intent.pk)
    assert position.state == PositionState.EXITING


def test_a_prepared_claim_is_the_same(world: World) -> None:
    services.warm()
    assert not OrderIntent.objects.exists()
    position = factories.core_position()
    assert claim(position, REASON, world.desk, position.entry_price, position.trailing)
    assert OrderIntent.objects.get().position == position


def prepared() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'WITH slot%'")
        return int(cursor.fetchone()[0])


def test_a_prepared_claim_has_its_statement_and_its_ids_at_hand(world: World) -> None:
    services.warm()
    assert prepared() == 1
    position = factories.core_position()
    with CaptureQueriesContext(connection) as asked:
        assert claim(position, REASON, world.desk, position.entry_price, position.trailing)
    assert not asked.captured_queries


def test_ids_in_reserve_are_kept_for_the_next_claim(world: World) -> None:
    services.warm()
    with CaptureQueriesContext(connection) as asked:
        execution.reserve()
    assert not asked.captured_queries


def test_ids_are_used_once(world: World) -> None:
    services.warm()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        position = factories.core_position(symbol)
        assert claim(position, REASON, world.desk, position.entry_price, position.trailing)
    assert OrderIntent.objects.count() == 2


def test_what_is_prepared_is_the_very_statement_of_the_claim_whatever_its_ids(world: World) -> None:
    services.warm()
    for symbol, pk in {"BTCUSDT": 7, "ETHUSDT": 70_000, "BNBUSDT": 7_000_000_000}.items():
        position = factories.core_position(symbol, id=pk)
        assert claim(position, REASON, world.desk, position.entry_price, position.trailing)
    assert prepared() == 1


@pytest.mark.parametrize("change", [{"state": PositionState.EXITING}, {"quantity": "0.004"}])
def test_a_row_that_is_not_what_the_caller_holds_is_left_alone(world: World, change: dict[str, Any]) -> None:
    position = factories.core_position()
    Position.objects.filter(pk=position.pk).update(**change)
    assert claim(position, REASON, world.desk, position.entry_price, position.trailing) is None
    assert not OrderIntent.objects.exists()
    assert not Event.objects.exists()


def test_an_exit_that_is_under_way_in_the_slot_refuses_it(world: World) -> None:
    position = factories.core_position()
    factories.intent(position.slot, owner=Owner.SAFETY_NET)
    with pytest.raises(execution.SlotBusy):
        claim(position, REASON, world.desk, position.entry_price, position.trailing)
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert not Event.objects.exists()


def test_it_waits_for_the_lock_of_the_slot(world: World) -> None:
    position = factories.core_position()
    with transaction.atomic():
        execution.lock_slot(position.slot_id)
        with ThreadPoolExecutor(max_workers=1) as other:
            assert other.submit(claim_impatiently, position, world.desk).result() == "refused by the lock"
    assert not OrderIntent.objects.exists()


def test_whoever_holds_the_slot_can_move_the_row_while_it_waits(world: World) -> None:
    """It takes the slot before the row, as everybody does: else each would wait for the other."""
    position = factories.core_position()
    with ThreadPoolExecutor(max_workers=1) as other:
        with transaction.atomic():
            execution.lock_slot(position.slot_id)
            done = other.submit(claim_elsewhere, position, world.desk)
            until(waiting_for_a_lock)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '500ms'")
            Position.objects.filter(pk=position.pk).update(state=PositionState.CLOSED)
        assert done.result(20) is None
    assert not OrderIntent.objects.exists()


def claim_elsewhere(position: Position, desk: Desk) -> OrderAttempt | None:
    try:
        return claim(position, REASON, desk, position.entry_price, position.trailing)
    finally:
        connection.close()


def claim_impatiently(position: Position, desk: Desk) -> str:
    """The claim on a connection of its own, which waits no longer than a moment for any lock."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        claim(position, REASON, desk, position.entry_price, position.trailing)
    except OperationalError:
        return "refused by the lock"
    finally:
        connection.close()
    return "claimed"
