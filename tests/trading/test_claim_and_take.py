"""Steps 1 and 2 of the protocol: who may order, and who executes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from tests import factories
from tests.trading.world import World, fresh
from trading import execution
from trading.domain.lifecycle import IntentState, PositionState
from trading.domain.types import Side
from trading.execution import Desk
from trading.models import Event, OrderAttempt, OrderIntent, Position
from trading.models.intent import Owner, Purpose


def claim(world: World, position: Position, **changes: Any) -> OrderIntent:
    terms: dict[str, Any] = {
        "purpose": Purpose.EXIT,
        "owner": Owner.CORE,
        "quantity": position.quantity,
        "reason": "test",
        "position": position,
        **changes,
    }
    with transaction.atomic():
        slot = execution.lock_slot(position.slot_id)
        return execution.claim(slot, execution.Terms(**terms), at=world.desk.clock())


def test_claim_commits_the_intent_with_its_event(world: World) -> None:
    position = factories.core_position(state=PositionState.EXITING)
    intent = fresh(claim(world, position, trigger_price=Decimal(58_800)))
    assert (intent.state, intent.order_side, intent.quantity) == ("pending", "SELL", Decimal("0.01"))
    assert intent.triggered_at == intent.created_at, "nothing else set it off"
    event = Event.objects.get(intent=intent)
    assert (event.kind, event.position, event.data["trigger"]) == ("intent.claimed", position, "58800")


@pytest.mark.parametrize("owner", list(Owner))
def test_second_live_exit_of_a_slot_is_refused_whoever_asks(world: World, owner: Owner) -> None:
    position = factories.core_position(state=PositionState.EXITING)
    claim(world, position)
    with pytest.raises(execution.SlotBusy, match="BTCUSDT Long"):
        claim(world, position, owner=owner)
    assert OrderIntent.objects.count() == 1
    assert Event.objects.count() == 1


@pytest.mark.parametrize("state", [IntentState.PENDING, IntentState.SENDING, IntentState.UNKNOWN])
def test_slot_stays_busy_in_every_live_state(world: World, state: IntentState) -> None:
    position = factories.core_position(state=PositionState.EXITING)
    factories.intent(
        position.slot, state=state, position=position, lease_until=factories.NOON, attempts_made=1
    )
    with pytest.raises(execution.SlotBusy):
        claim(world, position)


def test_slot_is_free_again_once_the_exit_is_settled(world: World) -> None:
    position = factories.core_position(state=PositionState.EXITING)
    factories.intent(position.slot, state=IntentState.DONE, position=position)
    assert claim(world, position).pk


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_the_database_refuses_for_another_reason_is_not_called_busy(
    world: World, purpose: Purpose
) -> None:
    position = factories.core_position(state=PositionState.EXITING)
    with pytest.raises(IntegrityError, match="intent_trades_something"):
        claim(world, position, purpose=purpose, quantity=Decimal(0))
    assert not OrderIntent.objects.exists()


def test_second_live_entry_of_a_slot_is_refused(world: World) -> None:
    position = factories.core_position(state=PositionState.ENTERING)
    claim(world, position, purpose=Purpose.ENTRY, quantity=Decimal(1))
    with pytest.raises(execution.SlotBusy, match="an entry is already under way"):
        claim(world, position, purpose=Purpose.ENTRY, quantity=Decimal(1))


def test_other_side_of_the_symbol_is_another_slot(world: World) -> None:
    claim(world, factories.core_position(state=PositionState.EXITING))
    short = factories.core_position(side=Side.SHORT, state=PositionState.EXITING)
    assert claim(world, short).order_side == "BUY"


def test_taking_leases_the_intent_and_numbers_the_attempt(world: World) -> None:
    intent = claim(world, factories.core_position(state=PositionState.EXITING))
    before = world.exchange.now_ms()
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    taken = fresh(intent)
    assert (taken.state, taken.attempts_made, taken.lease_holder) == ("sending", 1, world.desk.holder)
    assert taken.lease_until is not None
    assert taken.lease_until > world.desk.clock()
    assert attempt.client_order_id.endswith(f"x{intent.pk}-1")
    assert before <= attempt.timestamp_ms <= world.exchange.now_ms()


def test_leased_intent_is_not_given_to_a_second_executor(world: World) -> None:
    intent = claim(world, factories.core_position(state=PositionState.EXITING))
    assert execution.take(intent.pk, world.desk)
    assert execution.take(intent.pk, world.later(1)) is None
    assert OrderAttempt.objects.count() == 1


def test_intent_locked_by_another_transaction_is_skipped_not_waited_for(world: World) -> None:
    intent = claim(world, factories.core_position(state=PositionState.EXITING))
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM trading_orderintent WHERE id = %s FOR UPDATE", [intent.pk])
        assert execution.take(intent.pk, world.desk) is None
        assert fresh(intent).state == "pending"
        other.rollback()
        assert execution.take(intent.pk, world.desk) is not None
    finally:
        other.close()


def test_postponed_intent_is_not_taken_before_its_time(world: World) -> None:
    intent = claim(world, factories.core_position(state=PositionState.EXITING))
    due = world.desk.clock() + timedelta(seconds=10)
    OrderIntent.objects.filter(pk=intent.pk).update(next_attempt_at=due)
    assert execution.take(intent.pk, world.desk) is None
    assert execution.due_intents(world.desk.clock()) == []
    assert execution.due_intents(due) == [intent.pk]
    assert execution.execute(intent.pk, world.desk) == due
    assert world.orders() == []


def test_settled_intent_is_never_taken(world: World) -> None:
    position = factories.core_position(state=PositionState.CLOSED)
    for state in (IntentState.DONE, IntentState.DUST, IntentState.REFUSED):
        intent = factories.intent(position.slot, state=state, position=position)
        assert execution.take(intent.pk, world.later(1000)) is None
    assert execution.due_intents(world.later(1000).clock()) == []


def test_expired_lease_makes_the_outcome_unknown_and_starts_no_new_attempt(world: World) -> None:
    intent = claim(world, factories.core_position(state=PositionState.EXITING))
    first = execution.take(intent.pk, world.desk)
    again = execution.take(intent.pk, world.later(60))
    assert first is not None
    assert again is not None
    assert again.pk == first.pk
    taken = fresh(intent)
    assert (taken.state, taken.attempts_made, taken.lease_holder) == ("unknown", 1, "another")
    assert Event.objects.get(kind="intent.unknown").data["error"] == "its sender is gone"


def test_due_intents_come_oldest_first(world: World) -> None:
    slots = [factories.slot(symbol) for symbol in ("BTCUSDT", "ETHUSDT")]
    late = factories.intent(slots[0], next_attempt_at=factories.NOON + timedelta(seconds=1))
    early = factories.intent(slots[1], next_attempt_at=factories.NOON)
    assert execution.due_intents(factories.NOON + timedelta(seconds=2)) == [early.pk, late.pk]


def claim_begin_and_crash(position: Position, desk: Desk) -> None:
    with transaction.atomic():
        terms = execution.Terms(
            purpose=Purpose.EXIT,
            owner=Owner.CORE,
            quantity=position.quantity,
            reason="test",
            position=position,
        )
        execution.claim_and_begin(execution.lock_slot(position.slot_id), terms, desk=desk)
        raise RuntimeError("crash before the commit")


def test_exit_claim_and_first_attempt_are_one_commit(world: World) -> None:
    position = factories.core_position(state=PositionState.EXITING)
    with pytest.raises(RuntimeError, match="crash"):
        claim_begin_and_crash(position, world.desk)
    assert not OrderIntent.objects.exists()
    assert not OrderAttempt.objects.exists()
