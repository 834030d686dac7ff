"""Exactly-once orders: one protocol for entries and exits, for Core, Safety Net and the operator.

1. Claim   `lock_slot` + `claim`: under the slot's lock the intent is committed. `one_live_exit_per_slot`
           makes a second live exit impossible, whoever asks.
2. Take    `take`: one executor gets the intent, with a lease and a numbered attempt, and commits.
3. Send    `_send`: one order, never more than the exchange holds, signed with the attempt's own timestamp,
           so that the exchange itself refuses it once timestamp + recvWindow has passed.
4. Record  `_record`: fills, states and events in one transaction; the intent's owner settles in the same.
5. Unknown `_look_up`: by client order id. The next attempt only past the fence, or where the venue itself
           makes a second order harmless.
6. Residual: a partial fill leaves the intent pending for the rest, until flat or dust.
7. Sweep   `due_intents`: expired leases, unknown outcomes and postponed attempts, found in the database.

No exchange call is made inside a transaction, and no lock is held across the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from trading import evidence, fills, journal, recording
from trading.domain.client_ids import client_order_id
from trading.domain.events import EventKind
from trading.domain.exits import ExitPlan, Verdict, plan_exit
from trading.domain.lifecycle import LIVE_INTENT_STATES, IntentState
from trading.domain.types import MarginPair, MarketOrder, OrderReport, OrderSide
from trading.exchange.errors import ExchangeError, OutcomeUnknown, Refused
from trading.exchange.port import Exchange
from trading.models import OrderAttempt, OrderIntent, Position, Slot
from trading.models.intent import Owner, Purpose
from trading.reactions import CLOCK_SKEW
from trading.recording import register_settlement

__all__ = [
    "Desk",
    "OrderAttempt",
    "OrderIntent",
    "Owner",
    "Purpose",
    "Slot",
    "SlotBusy",
    "begin_attempt",
    "claim",
    "due_intents",
    "execute",
    "lock_slot",
    "register_settlement",
    "run_attempt",
    "take",
]

STEPS_PER_RUN = 12


class SlotBusy(Exception):
    """Another order of the same purpose is under way in this slot: nothing was claimed."""


@dataclass(frozen=True)
class Desk:
    """What an executor works with. `holder` names it in leases; `clock` gives aware UTC times."""

    exchange: Exchange
    holder: str
    clock: Callable[[], datetime]


PairReader = Callable[[], MarginPair]


# 1. Claim ---------------------------------------------------------------------------------------------------


def lock_slot(slot_id: int) -> Slot:
    """Lock the slot's row until the caller's transaction ends: ownership cannot change meanwhile."""
    return Slot.objects.select_for_update(of=("self",)).select_related("account").get(pk=slot_id)


def claim(
    slot: Slot,
    *,
    purpose: Purpose,
    owner: Owner,
    quantity: Decimal,
    reason: str,
    at: datetime,
    position: Position | None = None,
    guard_id: int | None = None,
    trigger_price: Decimal | None = None,
) -> OrderIntent:
    """Insert the intent to trade `quantity` (base). Call it under `lock_slot`, in the same transaction.

    Raises SlotBusy if an order of this purpose is already live in the slot; the transaction is then broken.
    """
    side = slot.position_side
    intent = OrderIntent(
        slot=slot,
        purpose=purpose,
        owner=owner,
        position=position,
        guard_id=guard_id,
        reason=reason,
        order_side=side.entry_order if purpose == Purpose.ENTRY else side.exit_order,
        quantity=quantity,
        trigger_price=trigger_price,
        created_at=at,
        next_attempt_at=at,
    )
    try:
        intent.save(force_insert=True)
    except IntegrityError as error:
        raise SlotBusy(f"{slot}: an {purpose} is already under way") from error
    journal.append(
        EventKind.INTENT_CLAIMED,
        intent,
        at=at,
        owner=owner,
        quantity=quantity,
        reason=reason,
        trigger=trigger_price,
    )
    return intent


# 2. Take ----------------------------------------------------------------------------------------------------


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
    number = intent.attempts_made + 1
    attempt = OrderAttempt.objects.create(
        intent=intent,
        number=number,
        client_order_id=client_order_id(
            intent.pk, number, purpose=intent.purpose, tag=settings.INSTALLATION_TAG
        ),
        timestamp_ms=desk.exchange.now_ms(),
        created_at=now,
    )
    journal.advance(
        intent,
        IntentState.SENDING,
        at=now,
        data={"attempt": number, "client_order_id": attempt.client_order_id},
        attempts_made=number,
        lease_holder=desk.holder,
        lease_until=now + _lease(),
    )
    return attempt


def _takeable(intent_id: int, now: datetime) -> OrderIntent | None:
    return (
        OrderIntent.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("slot__account")
        .filter(_due(now), pk=intent_id)
        .first()
    )


def _due(now: datetime) -> Q:
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
    return free & Q(state__in=LIVE_INTENT_STATES, next_attempt_at__lte=now)


def _lease() -> timedelta:
    return timedelta(seconds=settings.INTENT_LEASE_S)


# 3. Send ----------------------------------------------------------------------------------------------------


def execute(intent_id: int, desk: Desk) -> datetime | None:
    """Work on an intent until it is settled, postponed, or in other hands. Safe to call twice, and at once.

    Returns when to come back, None when there is nothing left to do.
    """
    for _ in range(STEPS_PER_RUN):
        attempt = take(intent_id, desk)
        if attempt is None:
            break
        run_attempt(attempt, desk)
    live = OrderIntent.objects.filter(pk=intent_id, state__in=LIVE_INTENT_STATES)
    due = live.values_list("next_attempt_at", "lease_until").first()
    return max(filter(None, due)) if due else None


def run_attempt(attempt: OrderAttempt, desk: Desk, read_pair: PairReader | None = None) -> None:
    """Send or look up one attempt that this executor holds, and record what came of it.

    `read_pair` gives the exchange's holding if the caller has a read of it under way.
    """
    looking = attempt.intent.state == IntentState.UNKNOWN
    try:
        if looking:
            _look_up(attempt, desk)
        else:
            _send(attempt, desk, read_pair)
    except ExchangeError as error:
        if looking or isinstance(error, OutcomeUnknown):
            recording.unknown(attempt, str(error), at=desk.clock())
        else:
            recording.not_executed(attempt, error, at=desk.clock())


def _send(attempt: OrderAttempt, desk: Desk, read_pair: PairReader | None) -> None:
    attempt.quantity = attempt.intent.quantity
    if attempt.intent.is_exit:
        plan = _plan(attempt.intent, desk, read_pair)
        if plan.verdict is not Verdict.SEND:
            rules = desk.exchange.symbol_rules(attempt.intent.slot.symbol)
            recording.nothing_sent(attempt, plan, base_asset=rules.base_asset, at=desk.clock())
            return
        attempt.quantity = plan.quantity
    try:
        report = desk.exchange.send_market_order(_order(attempt, attempt.quantity))
    except Refused as error:
        if error.code == CLOCK_SKEW:
            desk.exchange.sync_clock()
        raise
    _record(attempt, desk, report)


def _order(attempt: OrderAttempt, quantity: Decimal) -> MarketOrder:
    intent = attempt.intent
    return MarketOrder(
        symbol=intent.slot.symbol,
        side=OrderSide(intent.order_side),
        quantity=quantity,
        client_order_id=attempt.client_order_id,
        side_effect="AUTO_REPAY" if intent.is_exit else "MARGIN_BUY",
        timestamp_ms=attempt.timestamp_ms,
        recv_window_ms=settings.ORDER_RECV_WINDOW_MS,
    )


def _plan(
    intent: OrderIntent, desk: Desk, read_pair: PairReader | None = None, just_closed: Decimal = Decimal(0)
) -> ExitPlan:
    """What the exit still has to trade; `just_closed` (base) is executed but not recorded yet."""
    symbol = intent.slot.symbol
    rules = desk.exchange.symbol_rules(symbol)
    return plan_exit(
        intent.slot.position_side,
        intent.quantity - fills.closed_quantity(intent, rules.base_asset) - just_closed,
        read_pair() if read_pair else desk.exchange.margin_pairs([symbol])[symbol],
        rules,
        price=intent.average_price or intent.trigger_price or desk.exchange.price(symbol).price,
        fee_rate=settings.FEE_RATE,
    )


# 4. Record --------------------------------------------------------------------------------------------------


def _record(attempt: OrderAttempt, desk: Desk, report: OrderReport) -> None:
    """Record an order that the exchange knows. Raises OutcomeUnknown while it, or its fills, are not final."""
    if not report.is_final:
        raise OutcomeUnknown(f"order {report.order_id} is still {report.status}")
    report = fills.completed(report, desk.exchange)
    rules = desk.exchange.symbol_rules(report.symbol)
    left = _left_after(attempt.intent, desk, fills.base_moved(report, rules.base_asset))
    recording.executed(attempt, report, left=left, base_asset=rules.base_asset, at=desk.clock())


def _left_after(intent: OrderIntent, desk: Desk, just_closed: Decimal) -> ExitPlan:
    """6. Residual: what an exit has left to do. A long that sold all of its own needs no second look; a short
    does, because its debt must be zero."""
    if not intent.is_exit:
        return ExitPlan(Verdict.FLAT)
    rules = desk.exchange.symbol_rules(intent.slot.symbol)
    closed = fills.closed_quantity(intent, rules.base_asset) + just_closed
    if intent.order_side == OrderSide.SELL and intent.quantity - closed < rules.lot_step:
        return ExitPlan(Verdict.FLAT, left=intent.quantity - closed)
    try:
        return _plan(intent, desk, just_closed=just_closed)
    except ExchangeError:
        return ExitPlan(Verdict.SEND)


# 5. Unknown -------------------------------------------------------------------------------------------------


def _look_up(attempt: OrderAttempt, desk: Desk) -> None:
    report = evidence.find(attempt, desk.exchange)
    if report is not None:
        _record(attempt, desk, report)
        return
    if desk.exchange.now_ms() <= fence_ms(attempt) and not evidence.resend_is_harmless(
        attempt, desk.exchange
    ):
        recording.unknown(attempt, "not found, and the fence has not passed", at=desk.clock())
        return
    recording.not_executed(attempt, Refused("not found: it was never accepted"), at=desk.clock())


def fence_ms(attempt: OrderAttempt) -> int:
    """The exchange's time (ms) after which an order that cannot be found was not accepted."""
    return attempt.timestamp_ms + settings.ORDER_RECV_WINDOW_MS + settings.BACKEND_TIMEOUT_MS


# 7. Sweep ---------------------------------------------------------------------------------------------------


def due_intents(now: datetime) -> list[int]:
    """Live intents that nobody holds and whose time has come, the oldest first."""
    return list(
        OrderIntent.objects.filter(_due(now)).order_by("next_attempt_at").values_list("pk", flat=True)
    )
