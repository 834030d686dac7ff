"""What the database refuses, whoever asks: the last line, when everything above it has failed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests import factories
from trading.domain.lifecycle import LIVE_INTENT_STATES, MANAGED_STATES, IntentState, PositionState
from trading.domain.types import Side
from trading.models import Account, Event, Fill, OrderAttempt, OrderIntent, Position, Slot
from trading.models.intent import Purpose

pytestmark = pytest.mark.django_db


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=constraint)


def event(**fields: Any) -> Event:
    return Event.objects.create(kind="position.armed", source="test", **fields)


@pytest.mark.parametrize("state", [PositionState.ACTIVE, PositionState.EXITING])
@pytest.mark.parametrize("name", ["stop_price", "entry_price", "distance", "extreme_price"])
@pytest.mark.parametrize("value", [Decimal(0), Decimal(-1)])
def test_position_with_something_open_has_a_stop(state: PositionState, name: str, value: Decimal) -> None:
    with refused("active_implies_a_stop"), transaction.atomic():
        wrong: dict[str, Any] = {name: value}
        factories.core_position(state=state, **wrong)


@pytest.mark.parametrize("name", ["stop_price", "entry_price", "distance", "extreme_price"])
def test_active_position_cannot_lose_its_stop(name: str) -> None:
    position = factories.core_position()
    with refused("active_implies_a_stop"), transaction.atomic():
        Position.objects.filter(pk=position.pk).update(**{name: None})


def test_active_position_holds_something() -> None:
    with refused("active_implies_a_stop"), transaction.atomic():
        factories.core_position(quantity="0")


@pytest.mark.parametrize("first", MANAGED_STATES)
@pytest.mark.parametrize("second", [PositionState.ARMED, PositionState.ACTIVE])
def test_slot_has_one_managed_position(first: PositionState, second: PositionState) -> None:
    factories.core_position(state=first)
    with refused("one_managed_core_position_per_slot"), transaction.atomic():
        factories.core_position(state=second)
    assert factories.core_position(state=PositionState.CLOSED).pk


@pytest.mark.parametrize("first", LIVE_INTENT_STATES)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_slot_has_one_live_order_of_a_purpose(first: IntentState, purpose: Purpose) -> None:
    slot = factories.slot()
    factories.intent(slot, purpose=purpose, state=first, lease_until=factories.NOON, attempts_made=1)
    with refused(f"one_live_{purpose}_per_slot"), transaction.atomic():
        factories.intent(slot, purpose=purpose)
    assert factories.intent(slot, purpose=purpose, state=IntentState.DONE).pk


def test_signal_opens_one_position() -> None:
    factories.core_position(signal_id="1:2")
    with refused("a_signal_opens_one_position"), transaction.atomic():
        factories.core_position("ETHUSDT", signal_id="1:2")


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"state": "resting"}, "position_state_is_known"),
        ({"fast_period": 21, "slow_period": 9}, "fast_average_is_faster"),
        ({"fast_period": 9, "slow_period": 9}, "fast_average_is_faster"),
        ({"fast_period": 0}, "fast_average_is_faster"),
        ({"capital": Decimal(0)}, "position_risks_something"),
        ({"risk_percent": Decimal(0)}, "position_risks_something"),
    ],
)
def test_armed_terms_make_sense(fields: dict[str, Any], constraint: str) -> None:
    position = factories.core_position(state=PositionState.ARMED)
    with refused(constraint), transaction.atomic():
        Position.objects.filter(pk=position.pk).update(**fields)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"state": "sent"}, "intent_state_is_known"),
        ({"quantity": Decimal(0)}, "intent_trades_something"),
        ({"quantity": Decimal(-1)}, "intent_trades_something"),
        ({"state": IntentState.SENDING, "attempts_made": 1}, "sending_implies_a_lease"),
        ({"state": IntentState.SENDING, "lease_until": factories.NOON}, "sending_implies_a_lease"),
    ],
)
def test_intent_makes_sense(fields: dict[str, Any], constraint: str) -> None:
    intent = factories.intent(factories.slot())
    with refused(constraint), transaction.atomic():
        OrderIntent.objects.filter(pk=intent.pk).update(**fields)


def test_client_order_id_and_number_of_an_attempt_are_unique() -> None:
    intent = factories.intent(factories.slot())
    terms: dict[str, Any] = {"intent": intent, "timestamp_ms": 1}
    OrderAttempt.objects.create(number=1, client_order_id="a", **terms)
    with refused("client_order_id"), transaction.atomic():
        OrderAttempt.objects.create(number=2, client_order_id="a", **terms)
    with refused("attempts_are_numbered"), transaction.atomic():
        OrderAttempt.objects.create(number=1, client_order_id="b", **terms)


def test_fill_counts_once() -> None:
    intent = factories.intent(factories.slot())
    attempt = OrderAttempt.objects.create(intent=intent, number=1, client_order_id="a", timestamp_ms=1)
    terms: dict[str, Any] = {
        "attempt": attempt,
        "slot": intent.slot,
        "trade_id": 7,
        "price": 1,
        "quantity": 1,
        "commission": 0,
        "commission_asset": "BTC",
        "traded_at": factories.NOON,
    }
    Fill.objects.create(**terms)
    with refused("a_fill_counts_once"), transaction.atomic():
        Fill.objects.create(**terms)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"symbol": "btcusdt"}, "slot_symbol_is_upper_case"),
        ({"symbol": "BTC:USDT"}, "slot_symbol_is_upper_case"),
        ({"symbol": "BTC/USDT"}, "slot_symbol_is_upper_case"),
        ({"symbol": "BTC USDT"}, "slot_symbol_is_upper_case"),
        ({"symbol": ""}, "slot_symbol_is_upper_case"),
        ({"side": "LONG"}, "slot_side_is_known"),
        ({"venue": "spot"}, "slot_venue_is_known"),
    ],
)
def test_slot_has_one_spelling(fields: dict[str, str], constraint: str) -> None:
    slot = factories.slot()
    with refused(constraint), transaction.atomic():
        Slot.objects.filter(pk=slot.pk).update(**fields)


def test_slot_has_one_row() -> None:
    slot = factories.slot()
    with refused("one_row_per_slot"), transaction.atomic():
        Slot.objects.create(account=slot.account, venue=slot.venue, symbol=slot.symbol, side=slot.side)
    assert Slot.of(slot.account, slot.symbol, Side.LONG) == slot


@pytest.mark.parametrize(
    "fields", [{"capital": Decimal(0)}, {"risk_percent": Decimal(0)}, {"risk_percent": Decimal("10.001")}]
)
def test_account_risks_a_sane_part_of_something(fields: dict[str, Decimal]) -> None:
    account = factories.account()
    with refused("account_"), transaction.atomic():
        Account.objects.filter(pk=account.pk).update(**fields)


def test_event_cannot_be_changed_nor_deleted() -> None:
    kept = event()
    for statement in (
        "UPDATE trading_event SET kind = 'x' WHERE id = %s",
        "DELETE FROM trading_event WHERE id = %s",
    ):
        with (
            pytest.raises(DatabaseError, match="events are append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [kept.pk])
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Event.objects.all().delete()
    assert Event.objects.get() == kept


def test_pruning_deletes_what_is_older_and_nothing_else() -> None:
    event(at=factories.NOON - timedelta(seconds=1))
    kept = event(at=factories.NOON)
    assert Event.prune(before=factories.NOON) == 1
    assert Event.objects.get() == kept


@pytest.mark.django_db(transaction=True, available_apps=["trading", "safetynet"])
def test_permission_to_prune_ends_with_its_transaction() -> None:
    event()
    Event.prune(before=factories.NOON)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Event.objects.all().delete()


def test_row_with_history_cannot_be_deleted() -> None:
    position = factories.core_position()
    event(position=position)
    with pytest.raises(IntegrityError), transaction.atomic():
        position.delete()
