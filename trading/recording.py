"""Step 4 of `trading.execution`: each outcome of an attempt in one transaction, with its owner's settlement.

Every function does nothing to the intent when the attempt is no longer its latest one or is already recorded:
an executor whose lease ran out comes too late, and only its fills count.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from trading import fills, journal, metrics, timing
from trading.domain.events import EventKind
from trading.domain.exits import ExitPlan, Verdict
from trading.domain.lifecycle import IntentState
from trading.domain.types import OrderReport
from trading.exchange.errors import ExchangeError, NotSent, StopAndPage
from trading.models import OrderAttempt, OrderIntent
from trading.models.intent import AttemptStatus, Owner
from trading.reactions import CLOCK_SKEW, backoff_s, is_panic, retry_delay_s

log = logging.getLogger(__name__)

LOOK_UP_AGAIN = timedelta(milliseconds=500)
ENTRY_TRIES = 3
NEVER_ACCEPTED = "not found: it was never accepted"

SettlementHandler = Callable[[OrderIntent, str, datetime], None]
_handlers: dict[Owner, SettlementHandler] = {}


def register_settlement(owner: Owner, handler: SettlementHandler) -> None:
    """`handler(intent, base_asset, at)` runs in the transaction that ends an intent of this owner."""
    _handlers[owner] = handler


def executed(
    attempt: OrderAttempt,
    report: OrderReport,
    *,
    left: ExitPlan,
    base_asset: str,
    at: datetime,
    filled_at: datetime | None = None,
) -> None:
    """The exchange knows the order and it is final. `left` is what the exit still has to do.

    `filled_at` is when its last fill was, by our clock; None without one.
    """
    with transaction.atomic():
        intent = _held(attempt)
        if not _first_report(attempt, report, at):
            return
        fills.store(attempt, report)
        _append_fill_event(attempt, report, at)
        timing.until_fill(attempt.intent, filled_at)
        if intent is None:
            return
        if not intent.is_exit:
            state = IntentState.DONE if report.executed_quantity else IntentState.REFUSED
            _end(intent, state, base_asset, at)
        elif left.verdict in {Verdict.FLAT, Verdict.DUST}:
            _end(intent, _final_state(left), base_asset, at)
        elif report.executed_quantity:
            _postpone(intent, at, at, {"left": left.left}, refusals=0, **_totals(intent))
        else:
            _try_again(intent, at, f"{report.status} with nothing executed")


def nothing_sent(attempt: OrderAttempt, plan: ExitPlan, *, base_asset: str, at: datetime) -> None:
    """The exchange holds nothing (more) that this exit could trade: it ends, or waits for locked coins."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        _close_attempt(attempt, at, f"nothing sent: {plan.verdict}")
        if plan.verdict is Verdict.LOCKED:
            _try_again(intent, at, "what it takes is locked by a resting order that is not ours")
        else:
            _end(intent, _final_state(plan), base_asset, at)


def not_executed(attempt: OrderAttempt, error: ExchangeError, *, at: datetime) -> None:
    """The exchange provably executed nothing. An exit tries again, for ever; an entry if it never left."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        _close_attempt(attempt, at, error.message, error.code)
        failures = intent.refusals + 1
        if intent.is_exit or _entry_may_retry(error, failures):
            page = isinstance(error, StopAndPage)
            _try_again(intent, at, str(error), retry_delay_s(error, failures), page=page)
        else:
            _end(intent, IntentState.REFUSED, "", at, last_error=str(error)[:255])


def never_accepted(attempt: OrderAttempt, *, at: datetime) -> None:
    """The exchange does not know the order and will not: an exit sends the next at once, an entry ends."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        _close_attempt(attempt, at, NEVER_ACCEPTED)
        if intent.is_exit:
            _try_again(intent, at, NEVER_ACCEPTED, 0)
        else:
            _end(intent, IntentState.REFUSED, "", at, last_error=NEVER_ACCEPTED)


def presumed_never_accepted(intent: OrderIntent) -> list[OrderAttempt]:
    """Attempts that could not be found, and whose place a later one has taken."""
    return list(
        intent.attempts.select_related("intent__slot__account").filter(
            status=AttemptStatus.NOT_EXECUTED, error=NEVER_ACCEPTED
        )
    )


def unknown(attempt: OrderAttempt, error: ExchangeError, *, at: datetime) -> None:
    """It may or may not have been executed: whoever takes the intent next looks it up.

    A look-up that fails counts as a failure of the exit: tried again less and less often, ever louder.
    """
    with transaction.atomic():
        intent = _held(attempt)
        if intent is None:
            return
        attempt.status, attempt.error, attempt.error_code = (
            AttemptStatus.UNKNOWN,
            error.message[:255],
            error.code,
        )
        attempt.save(update_fields=["status", "error", "error_code", "quantity"])
        failures, delay = intent.refusals, LOOK_UP_AGAIN
        if intent.state == IntentState.SENDING:
            log.warning("%s attempt %s: outcome unknown (%s), looking it up", intent, attempt.number, error)
            data = {"error": str(error), "attempt": attempt.number}
            journal.advance(intent, IntentState.UNKNOWN, at=at, data=data)
        else:
            failures += 1
            _alarm(intent, failures, f"the outcome of attempt {attempt.number} stays unclear: {error}")
            delay = max(delay, timedelta(seconds=retry_delay_s(error, failures)))
        _look_again(intent, at + delay, refusals=failures, last_error=str(error)[:255])


def not_found_yet(attempt: OrderAttempt, *, at: datetime) -> None:
    """The exchange does not know the order, but may come to: the fence has not passed."""
    with transaction.atomic():
        intent = _held(attempt)
        if intent is not None:
            _look_again(intent, at + LOOK_UP_AGAIN)


def _look_again(intent: OrderIntent, due: datetime, **fields: object) -> None:
    values = {"lease_until": None, "next_attempt_at": due, **fields}
    for name, value in values.items():
        setattr(intent, name, value)
    intent.save(update_fields=list(values))


def _first_report(attempt: OrderAttempt, report: OrderReport, at: datetime) -> bool:
    """Whether nobody has recorded this order before. Call it with the intent's row locked."""
    attempt.quantity = attempt.quantity or report.quantity
    fresh = OrderAttempt.objects.filter(pk=attempt.pk).exclude(status=AttemptStatus.EXECUTED)
    return bool(
        fresh.update(
            order_id=report.order_id,
            status=AttemptStatus.EXECUTED,
            quantity=attempt.quantity,
            answered_at=at,
        )
    )


def _held(attempt: OrderAttempt) -> OrderIntent | None:
    """The locked intent, if this attempt is still the one that its outcome depends on."""
    intent = (
        OrderIntent.objects.select_for_update(of=("self",))
        .select_related("slot__account")
        .get(pk=attempt.intent_id)
    )
    current = intent.attempts_made == attempt.number
    return intent if current and intent.state in {IntentState.SENDING, IntentState.UNKNOWN} else None


def _end(intent: OrderIntent, state: IntentState, base_asset: str, at: datetime, **fields: Any) -> None:
    fields |= _totals(intent)
    journal.advance(intent, state, at=at, data=dict(fields), settled_at=at, lease_until=None, **fields)
    metrics.count_once_committed(
        metrics.INTENTS.labels(owner=intent.owner, purpose=intent.purpose, state=state)
    )
    if state is IntentState.DUST:
        log.warning("%s: what is left cannot be sold (below the exchange's minimum). Final.", intent)
    _handlers[Owner(intent.owner)](intent, base_asset, at)


def _totals(intent: OrderIntent) -> dict[str, Any]:
    quantity, quote = fills.totals(intent)
    return {"executed_quantity": quantity, "executed_quote": quote}


def _try_again(
    intent: OrderIntent, at: datetime, why: str, delay_s: float | None = None, *, page: bool = False
) -> None:
    """Count a failure, say so, and postpone the next attempt: by `delay_s`, or longer each time.

    `page`: only a person can end it, so the first failure is as loud as a later one.
    """
    failures = intent.refusals + 1
    _alarm(intent, failures, why, page=page)
    due = at + timedelta(seconds=backoff_s(failures) if delay_s is None else delay_s)
    _postpone(intent, at, due, {"error": why}, refusals=failures, last_error=why[:255], **_totals(intent))


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


def _alarm(intent: OrderIntent, failures: int, why: str, *, page: bool = False) -> None:
    level = logging.CRITICAL if page or is_panic(failures) else logging.WARNING
    log.log(level, "%s failed %s times in a row, trying again: %s", intent, failures, why)
