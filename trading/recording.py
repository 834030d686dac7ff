"""Step 4 of `trading.execution`: each outcome of an attempt in one transaction, with its owner's settlement.

Every function does nothing to the intent when the attempt is no longer its latest one or is already recorded:
an executor whose lease ran out comes too late, and only its fills count.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from trading import fills, journal
from trading.domain.events import EventKind
from trading.domain.exits import ExitPlan, Verdict
from trading.domain.lifecycle import IntentState
from trading.domain.types import OrderReport
from trading.exchange.errors import ExchangeError, NotSent
from trading.models import OrderAttempt, OrderIntent
from trading.models.intent import AttemptStatus, Owner
from trading.reactions import CLOCK_SKEW, backoff_s, is_panic, retry_delay_s

log = logging.getLogger(__name__)

LOOK_UP_AGAIN = timedelta(milliseconds=500)
ENTRY_TRIES = 3

SettlementHandler = Callable[[OrderIntent, str, datetime], None]
_handlers: dict[Owner, SettlementHandler] = {}


def register_settlement(owner: Owner, handler: SettlementHandler) -> None:
    """`handler(intent, base_asset, at)` runs in the transaction that ends an intent of this owner."""
    _handlers[owner] = handler


def executed(
    attempt: OrderAttempt, report: OrderReport, *, left: ExitPlan, base_asset: str, at: datetime
) -> None:
    """The exchange knows the order and it is final. `left` is what the exit still has to do."""
    with transaction.atomic():
        intent = _held(attempt)
        fills.store(attempt, report)
        attempt.order_id, attempt.status = report.order_id, AttemptStatus.EXECUTED
        attempt.answered_at = at
        attempt.save(update_fields=["order_id", "status", "quantity", "answered_at"])
        _append_fill_event(attempt, report, at)
        if intent is None:
            return
        quantity, quote = fills.totals(intent)
        totals = {"executed_quantity": quantity, "executed_quote": quote}
        if not intent.is_exit:
            _end(intent, IntentState.DONE if quantity else IntentState.REFUSED, base_asset, at, **totals)
        elif left.verdict in {Verdict.FLAT, Verdict.DUST}:
            _end(intent, _final_state(left), base_asset, at, **totals)
        else:
            _postpone(intent, at, at, {"left": left.left}, refusals=0, **totals)


def nothing_sent(attempt: OrderAttempt, plan: ExitPlan, *, base_asset: str, at: datetime) -> None:
    """The exchange holds nothing (more) that this exit could trade: it ends, or waits for locked coins."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        _close_attempt(attempt, at, f"nothing sent: {plan.verdict}")
        if plan.verdict is Verdict.LOCKED:
            failures = intent.refusals + 1
            _alarm(intent, failures, "the coins are locked by a resting order that is not ours")
            delay = timedelta(seconds=backoff_s(failures))
            _postpone(intent, at, at + delay, {"error": "locked", "left": plan.left}, refusals=failures)
        else:
            _end(intent, _final_state(plan), base_asset, at)


def not_executed(attempt: OrderAttempt, error: ExchangeError, *, at: datetime) -> None:
    """The exchange provably executed nothing. An exit retries for ever, an entry only if it never left."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        _close_attempt(attempt, at, error.message, error.code)
        failures = intent.refusals + 1
        if intent.is_exit or _entry_may_retry(error, failures):
            _alarm(intent, failures, str(error))
            due = at + timedelta(seconds=retry_delay_s(error, failures))
            _postpone(intent, at, due, {"error": str(error)}, refusals=failures, last_error=str(error)[:255])
        else:
            _end(intent, IntentState.REFUSED, "", at, last_error=str(error)[:255])


def unknown(attempt: OrderAttempt, why: str, *, at: datetime) -> None:
    """It may or may not have been executed: the next one who takes the intent looks it up."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        attempt.status, attempt.error = AttemptStatus.UNKNOWN, why[:255]
        attempt.save(update_fields=["status", "error", "quantity"])
        if intent.state == IntentState.SENDING:
            log.warning("%s attempt %s: outcome unknown (%s), looking it up", intent, attempt.number, why)
            journal.advance(
                intent, IntentState.UNKNOWN, at=at, data={"error": why, "attempt": attempt.number}
            )
        intent.lease_until, intent.next_attempt_at = None, at + LOOK_UP_AGAIN
        intent.last_error = why[:255]
        intent.save(update_fields=["lease_until", "next_attempt_at", "last_error"])


def _held(attempt: OrderAttempt) -> OrderIntent | None:
    """The locked intent, if this attempt is still the one that its outcome depends on."""
    intent = (
        OrderIntent.objects.select_for_update(of=("self",))
        .select_related("slot__account")
        .get(pk=attempt.intent_id)
    )
    current = intent.attempts_made == attempt.number
    return intent if current and intent.state in {IntentState.SENDING, IntentState.UNKNOWN} else None


def _end(
    intent: OrderIntent, state: IntentState, base_asset: str, at: datetime, **fields: Decimal | str
) -> None:
    journal.advance(intent, state, at=at, data=dict(fields), settled_at=at, lease_until=None, **fields)
    if state is IntentState.DUST:
        log.warning("%s: what is left cannot be sold (below the exchange's minimum). Final.", intent)
    _handlers[Owner(intent.owner)](intent, base_asset, at)


def _postpone(
    intent: OrderIntent, at: datetime, due: datetime, data: dict[str, object], **fields: object
) -> None:
    journal.advance(
        intent,
        IntentState.PENDING,
        at=at,
        data={**data, "due": due},
        next_attempt_at=due,
        lease_until=None,
        **fields,
    )


def _close_attempt(attempt: OrderAttempt, at: datetime, why: str, code: int = 0) -> None:
    attempt.status, attempt.error, attempt.error_code = AttemptStatus.NOT_EXECUTED, why[:255], code
    attempt.answered_at = at
    attempt.save(update_fields=["status", "error", "error_code", "answered_at", "quantity"])


def _append_fill_event(attempt: OrderAttempt, report: OrderReport, at: datetime) -> None:
    whole = report.status == "FILLED"
    journal.append(
        EventKind.INTENT_FILLED if whole else EventKind.INTENT_PARTIALLY_FILLED,
        attempt.intent,
        at=at,
        attempt=attempt.number,
        client_order_id=attempt.client_order_id,
        order_id=report.order_id,
        status=report.status,
        quantity=report.executed_quantity,
        quote=report.executed_quote,
    )


def _final_state(plan: ExitPlan) -> IntentState:
    return IntentState.DUST if plan.verdict is Verdict.DUST else IntentState.DONE


def _entry_may_retry(error: ExchangeError, failures: int) -> bool:
    return failures < ENTRY_TRIES and (isinstance(error, NotSent) or error.code == CLOCK_SKEW)


def _alarm(intent: OrderIntent, failures: int, why: str) -> None:
    level = logging.CRITICAL if is_panic(failures) else logging.WARNING
    log.log(level, "%s failed %s times in a row, trying again: %s", intent, failures, why)
