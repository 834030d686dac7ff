"""Steps 1, 2 and 7 of `trading.execution`: who may order, who executes, and what nobody has in hand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from trading import journal
from trading.constraints import refused_by
from trading.domain.client_ids import client_order_id
from trading.domain.clocks import latest
from trading.domain.events import EventKind
from trading.domain.lifecycle import LIVE_INTENT_STATES, IntentState, check_transition
from trading.exchange.port import Exchange
from trading.models import Event, OrderAttempt, OrderIntent, Position, Slot
from trading.models.intent import Owner, Purpose
from trading.reactions import LONGEST_WAIT_S

SENT = check_transition(IntentState.PENDING, IntentState.SENDING)
# The constraints that allow one live order of a purpose per slot.
ONE_LIVE = {Purpose.ENTRY: "one_live_entry_per_slot", Purpose.EXIT: "one_live_exit_per_slot"}


class SlotBusy(Exception):
    """Another order of the same purpose is under way in this slot: nothing was claimed."""


@dataclass(frozen=True)
class Desk:
    """What an executor works with. `holder` names it in leases; `clock` gives aware UTC times."""

    exchange: Exchange
    holder: str
    clock: Callable[[], datetime]


def lock_slot(slot_id: int) -> Slot:
    """Lock the slot's row until the caller's transaction ends: ownership cannot change meanwhile."""
    return Slot.objects.select_for_update(of=("self",)).select_related("account").get(pk=slot_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an intent is about. Quantity in base, trigger price in quote currency.

    `triggered_at` is when that price was received; an exit without it counts from its claim.
    """

    purpose: Purpose
    owner: Owner
    quantity: Decimal
    reason: str
    position: Position | None = None
    guard_id: int | None = None
    trigger_price: Decimal | None = None
    triggered_at: datetime | None = None


def claim(slot: Slot, terms: Terms, *, at: datetime) -> OrderIntent:
    """Insert the intent. Call it under `lock_slot`, in the same transaction.

    Raises SlotBusy if an order of this purpose is already live in the slot; the transaction is then broken.
    """
    intent = _new(slot, terms, at)
    _insert(intent)
    return intent


def claim_and_begin(slot: Slot, terms: Terms, *, desk: Desk) -> OrderAttempt:
    """The same for a caller that executes at once: the intent is born with its first attempt and a lease."""
    intent = born_sending(slot, terms, desk)
    _insert(intent)
    attempt = _new_attempt(intent, desk, intent.created_at)
    attempt.save()
    journal.append(SENT, intent, at=intent.created_at, **_sent(attempt))
    return attempt


def born_sending(slot: Slot, terms: Terms, desk: Desk) -> OrderIntent:
    """An intent in the hands of its first executor, not saved yet."""
    at = desk.clock()
    intent = _new(slot, terms, at)
    intent.state, intent.attempts_made = IntentState.SENDING, 1
    intent.lease_holder, intent.lease_until = desk.holder, at + _lease()
    return intent


def first_attempt(intent: OrderIntent, desk: Desk) -> tuple[OrderAttempt, tuple[Event, Event]]:
    """The first attempt of an intent that has its id, and the events of both; nothing of it saved yet."""
    at = intent.created_at
    attempt = _new_attempt(intent, desk, at)
    claimed = journal.event_of(EventKind.INTENT_CLAIMED, intent, at=at, **_claimed(intent))
    return attempt, (claimed, journal.event_of(SENT, intent, at=at, **_sent(attempt)))


def _new(slot: Slot, terms: Terms, at: datetime) -> OrderIntent:
    side = slot.position_side
    is_entry = terms.purpose is Purpose.ENTRY
    return OrderIntent(
        slot=slot,
        purpose=terms.purpose,
        owner=terms.owner,
        position=terms.position,
        guard_id=terms.guard_id,
        reason=terms.reason,
        order_side=side.entry_order if is_entry else side.exit_order,
        quantity=terms.quantity,
        trigger_price=terms.trigger_price,
        triggered_at=None if is_entry else terms.triggered_at or at,
        created_at=at,
        next_attempt_at=at,
    )


def _insert(intent: OrderIntent) -> None:
    try:
        intent.save()
    except IntegrityError as error:
        busy_or_raise(error, intent)
    journal.append(EventKind.INTENT_CLAIMED, intent, at=intent.created_at, **_claimed(intent))


def busy_or_raise(error: IntegrityError, intent: OrderIntent) -> NoReturn:
    """Raises SlotBusy if the database refused the intent for a live one of the same purpose, else `error`."""
    if refused_by(error) == ONE_LIVE[Purpose(intent.purpose)]:
        raise SlotBusy(f"{intent.slot}: an {intent.purpose} is already under way") from error
    raise error


def _claimed(intent: OrderIntent) -> dict[str, Any]:
    return {
        "owner": intent.owner,
        "quantity": intent.quantity,
        "reason": intent.reason,
        "trigger": intent.trigger_price,
    }


def take(intent_id: int, desk: Desk) -> OrderAttempt | None:
    """Take the intent with a lease. Returns a new attempt to send, or the last one to look up.

    None when it is settled, not due yet, or in other hands.
    """
    now = desk.clock()
    with transaction.atomic():
        intent = _takeable(intent_id, now)
        if intent is None:
            return None
        if intent.state == IntentState.PENDING:
            return begin_attempt(intent, desk)
        if intent.state == IntentState.SENDING:
            journal.advance(intent, IntentState.UNKNOWN, at=now, data={"error": "its sender is gone"})
        intent.lease_holder, intent.lease_until = desk.holder, now + _lease()
        intent.save(update_fields=["lease_holder", "lease_until"])
        attempt = intent.attempts.order_by("-number")[0]
        attempt.intent = intent
        return attempt


def begin_attempt(intent: OrderIntent, desk: Desk) -> OrderAttempt:
    """Commit to one more attempt, inside the caller's transaction: from now on it may have been sent."""
    now = desk.clock()
    intent.attempts_made += 1
    attempt = _new_attempt(intent, desk, now)
    attempt.save()
    journal.advance(
        intent,
        IntentState.SENDING,
        at=now,
        data=_sent(attempt),
        attempts_made=intent.attempts_made,
        lease_holder=desk.holder,
        lease_until=now + _lease(),
    )
    return attempt


def sign_anew(attempt: OrderAttempt, desk: Desk) -> bool:
    """Commit to the attempt with the time of now, and to a lease from now on.

    False if the intent is in other hands by now, or settled: then nothing may be sent. Whoever takes it later
    finds the new time, and waits for its fence.
    """
    with transaction.atomic():
        held = OrderIntent.objects.filter(
            pk=attempt.intent_id,
            state=IntentState.SENDING,
            attempts_made=attempt.number,
            lease_holder=desk.holder,
        )
        if not held.update(lease_until=desk.clock() + _lease()):
            return False
        attempt.timestamp_ms = desk.exchange.now_ms()
        attempt.save(update_fields=["timestamp_ms"])
    return True


def _new_attempt(intent: OrderIntent, desk: Desk, at: datetime) -> OrderAttempt:
    number = intent.attempts_made
    name = client_order_id(intent.pk, number, purpose=intent.purpose, tag=settings.INSTALLATION_TAG)
    return OrderAttempt(
        intent=intent,
        number=number,
        client_order_id=name,
        timestamp_ms=desk.exchange.now_ms(),
        created_at=at,
    )


def _sent(attempt: OrderAttempt) -> dict[str, Any]:
    return {"attempt": attempt.number, "client_order_id": attempt.client_order_id}


def _takeable(intent_id: int, now: datetime) -> OrderIntent | None:
    return (
        OrderIntent.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("slot__account")
        .filter(_due(now), pk=intent_id)
        .first()
    )


def _due(now: datetime) -> Q:
    """Live, in nobody's hands, and its time has come, or is one of a clock that has been set back since."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now) | Q(lease_until__gt=latest(now, _lease()))
    longest = latest(now, timedelta(seconds=LONGEST_WAIT_S))
    come = Q(next_attempt_at__lte=now) | Q(next_attempt_at__gt=longest)
    # Nothing has postponed it yet: it was due when it was claimed.
    come |= Q(next_attempt_at__gt=latest(now), attempts_made=0)
    return free & come & Q(state__in=LIVE_INTENT_STATES)


def _lease() -> timedelta:
    return timedelta(seconds=settings.INTENT_LEASE_S)


def due_intents(now: datetime) -> list[int]:
    """Live intents that nobody holds and whose time has come, the oldest first."""
    return list(
        OrderIntent.objects.filter(_due(now)).order_by("next_attempt_at").values_list("pk", flat=True)
    )
