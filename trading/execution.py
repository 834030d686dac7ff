"""Exactly-once orders: one protocol for entries and exits, for Core, Safety Net and the operator.

1. Claim   `lock_slot` + `claim`: under the slot's lock the intent is committed. `one_live_exit_per_slot`
           makes a second live exit impossible, whoever asks.
2. Take    `take`: one executor gets the intent, with a lease and a numbered attempt, and commits.
3. Send    `_send`: one order, never more than the exchange holds, signed with the attempt's own timestamp,
           so that the exchange itself refuses it once timestamp + recvWindow has passed. Where the exchange
           was slow to say what it holds, the attempt is committed anew with a new one before.
4. Record  `_record`: fills, states and events in one transaction; the intent's owner settles in the same.
5. Unknown `_look_up`: by client order id. The next attempt only past the fence, or where the venue itself
           makes a second order harmless.
6. Residual: a partial fill leaves the intent pending for the rest, until flat or dust.
7. Sweep   `due_intents`: expired leases, unknown outcomes and postponed attempts, found in the database.

No exchange call is made inside a transaction, and no lock is held across the network.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings

from trading import evidence, fills, planning, recording, timing
from trading.at_once import Claimed, Step, claim_at_once, reserve
from trading.claims import (
    Desk,
    SlotBusy,
    Terms,
    claim,
    claim_and_begin,
    due_intents,
    lock_slot,
    sign_anew,
    take,
)
from trading.domain.clocks import age
from trading.domain.exits import ExitPlan, Verdict
from trading.domain.lifecycle import LIVE_INTENT_STATES, IntentState
from trading.domain.types import MarketOrder, OrderReport, OrderSide
from trading.exchange.calls import whole_budget
from trading.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused
from trading.logcontext import about
from trading.models import Account, OrderAttempt, OrderIntent, Slot
from trading.models.intent import Owner, Purpose
from trading.parts import Part, register_part
from trading.planning import EarlyRead
from trading.reactions import CLOCK_SKEW
from trading.recording import register_settlement
from trading.single_statement import Provided, hold

__all__ = [
    "Claimed",
    "Desk",
    "OrderAttempt",
    "OrderIntent",
    "Owner",
    "Part",
    "Provided",
    "Purpose",
    "Slot",
    "SlotBusy",
    "Step",
    "Terms",
    "claim",
    "claim_and_begin",
    "claim_at_once",
    "due_at",
    "due_intents",
    "execute",
    "hold",
    "lock_slot",
    "register_part",
    "register_settlement",
    "reserve",
    "run_attempt",
    "take",
    "work",
]

STEPS_PER_RUN = 12
# The share of an order's window that its planning may use up; its way to the exchange needs the rest.
UNSIGNED_SHARE = 1 / 3
# The most that planning an exit asks, one after the other: what is held, the price, the trades.
QUESTIONS = 3


def execute(intent_id: int, desk: Desk) -> datetime | None:
    """Work on an intent until it is settled, postponed, or in other hands. Safe to call twice, and at once.

    Returns when to come back, None when there is nothing left to do.
    """
    work(intent_id, desk)
    return due_at(intent_id)


def work(intent_id: int, desk: Desk) -> bool:
    """The same; tells whether this executor had the intent in hand at all."""
    for step in range(STEPS_PER_RUN):
        attempt = take(intent_id, desk)
        if attempt is None:
            return step > 0
        run_attempt(attempt, desk)
    return True


def due_at(intent_id: int) -> datetime | None:
    """When the intent is to be taken up again, None when it is settled."""
    live = OrderIntent.objects.filter(pk=intent_id, state__in=LIVE_INTENT_STATES)
    due = live.values_list("next_attempt_at", "lease_until").first()
    return max(filter(None, due)) if due else None


@whole_budget()
def run_attempt(
    attempt: OrderAttempt, desk: Desk, early: EarlyRead | None = None, *, alone: bool = False
) -> None:
    """Send or look up one attempt that this executor holds, and record what came of it.

    `early`: the caller has a reading of the exchange's holding under way. `alone`: it has just seen, under
    the slot's lock, that Core owns nothing there.
    """
    with about(attempt.intent, attempt=attempt.number):
        _run(attempt, desk, early, alone)


def _run(attempt: OrderAttempt, desk: Desk, early: EarlyRead | None, alone: bool) -> None:
    looking = attempt.intent.state == IntentState.UNKNOWN
    report = _look_up(attempt, desk) if looking else _send(attempt, desk, early, alone)
    if report is None:
        return
    try:
        _record(attempt, desk, report)
    except ExchangeError as error:
        # The exchange knows the order: whatever goes wrong from here on, nothing may be sent in its place.
        recording.unknown(attempt, error, at=desk.clock())


def _send(attempt: OrderAttempt, desk: Desk, early: EarlyRead | None, alone: bool) -> OrderReport | None:
    """The exchange's answer to the order; None when there is none, and what came of it is recorded."""
    try:
        if not _plan(attempt, desk, early, alone) or not _is_in_time(attempt, desk):
            return None
    except ExchangeError as error:
        recording.not_executed(attempt, error, at=desk.clock())
        return None
    try:
        with timing.until_order(attempt.intent, desk.clock()):
            return desk.exchange.send_market_order(_order(attempt))
    except OutcomeUnknown as error:
        recording.unknown(attempt, error, at=desk.clock())
    except ExchangeError as error:
        if error.code == CLOCK_SKEW:
            with suppress(ExchangeError):
                desk.exchange.sync_clock()
        recording.not_executed(attempt, error, at=desk.clock())
    return None


def _plan(attempt: OrderAttempt, desk: Desk, early: EarlyRead | None, alone: bool) -> bool:
    """Decide the attempt's quantity. False when there is nothing to send, which is recorded."""
    intent = attempt.intent
    attempt.quantity = intent.quantity
    if not intent.is_exit:
        _refuse_late_entry(intent, desk.clock())
        return True
    read = early.pair if early and early.still_holds(desk.clock()) else None
    plan = planning.plan(intent, desk.exchange, read, alone=alone)
    attempt.quantity = plan.quantity
    if plan.verdict is Verdict.SEND:
        return True
    rules = desk.exchange.symbol_rules(intent.slot.symbol)
    if plan.verdict is not Verdict.LOCKED:
        _record_overtaken(intent, desk, rules.base_asset)
    recording.nothing_sent(attempt, plan, base_asset=rules.base_asset, at=desk.clock())
    return False


def _is_in_time(attempt: OrderAttempt, desk: Desk) -> bool:
    """Whether the order may go. An exchange that is slow to say what is held must not keep a stop from going.

    Signed before these questions, the order would be refused as too late each time. What was read long ago
    is asked again instead, but not for ever: where answers go on being slow, an older reading has to do, up
    to the time that all questions may take. Raises NotSent.
    """
    if not attempt.intent.is_exit:
        return True
    age_ms = desk.exchange.now_ms() - attempt.timestamp_ms
    if age_ms <= settings.ORDER_RECV_WINDOW_MS * UNSIGNED_SHARE:
        return True
    answers = min(1 + attempt.intent.refusals, QUESTIONS)
    if age_ms > max(settings.ORDER_RECV_WINDOW_MS, settings.HTTP_TIMEOUT_S[1] * 1000 * answers):
        raise NotSent(f"it took {age_ms} ms to plan the order: planned again")
    return sign_anew(attempt, desk)


def _refuse_late_entry(intent: OrderIntent, now: datetime) -> None:
    """An entry that was held up is not made up for: its price and its size are those of another moment."""
    # As the database has it now: the row in hand is from before the claim.
    if not Account.objects.filter(pk=intent.slot.account_id, active=True, entries_paused=False).exists():
        raise Refused("entries are paused, or the account is switched off: nothing was sent")
    if age(intent.created_at, now) > timedelta(seconds=settings.INTENT_LEASE_S):
        raise Refused("the signal is too old by now: nothing was sent")


def _order(attempt: OrderAttempt) -> MarketOrder:
    intent = attempt.intent
    return MarketOrder(
        symbol=intent.slot.symbol,
        side=OrderSide(intent.order_side),
        quantity=attempt.quantity or intent.quantity,
        client_order_id=attempt.client_order_id,
        side_effect="AUTO_REPAY" if intent.is_exit else "MARGIN_BUY",
        timestamp_ms=attempt.timestamp_ms,
        recv_window_ms=settings.ORDER_RECV_WINDOW_MS,
    )


def _record(attempt: OrderAttempt, desk: Desk, report: OrderReport) -> None:
    """Record an order that the exchange knows. Raises ExchangeError while it, or its fills, are not final."""
    if not report.is_final:
        raise OutcomeUnknown(f"order {report.order_id} is still {report.status}")
    report = fills.completed(report, desk.exchange)
    rules = desk.exchange.symbol_rules(report.symbol)
    left = planning.left_after(attempt.intent, desk.exchange, report)
    _executed(attempt, desk, report, left, rules.base_asset)


def _record_overtaken(intent: OrderIntent, desk: Desk, base_asset: str) -> None:
    """Nothing is left to trade: an attempt that was taken for never accepted may be the reason."""
    for earlier in recording.presumed_never_accepted(intent):
        report = evidence.find_by_name(earlier, desk.exchange)
        if report is not None and report.is_final:
            report = fills.completed(report, desk.exchange)
            _executed(earlier, desk, report, ExitPlan(Verdict.FLAT), base_asset)


def _executed(
    attempt: OrderAttempt, desk: Desk, report: OrderReport, left: ExitPlan, base_asset: str
) -> None:
    at = desk.clock()
    filled_at = timing.filled_at(report, desk.exchange, at)
    recording.executed(attempt, report, left=left, base_asset=base_asset, at=at, filled_at=filled_at)


def _look_up(attempt: OrderAttempt, desk: Desk) -> OrderReport | None:
    """The order as the exchange knows it; None when it does not (yet), and what follows is recorded."""
    try:
        report = evidence.find(attempt, desk.exchange)
        if report is not None:
            return report
        over = desk.exchange.now_ms() > fence_ms(attempt)
        if over or evidence.resend_is_harmless(attempt, desk.exchange):
            recording.never_accepted(attempt, at=desk.clock())
        else:
            recording.not_found_yet(attempt, at=desk.clock())
    except ExchangeError as error:
        recording.unknown(attempt, error, at=desk.clock())
    return None


def fence_ms(attempt: OrderAttempt) -> int:
    """The exchange's time (ms) after which an order that cannot be found was not accepted."""
    return attempt.timestamp_ms + settings.ORDER_RECV_WINDOW_MS + settings.BACKEND_TIMEOUT_MS
