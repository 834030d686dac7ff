"""Celery tasks of Core: thin. Each may run twice, late, or at the same time as itself."""

import logging
from datetime import timedelta

from celery import shared_task
from celery.signals import worker_init
from django.core.management.base import CommandError

from trading import execution, gateway, queries, reconciliation, startup
from trading.exchange.errors import ExchangeError
from trading.logcontext import about
from trading.models import Event, OrderIntent

log = logging.getLogger(__name__)

KEEP_EVENTS_DAYS = 400


@worker_init.connect
def require_exchange(**_: object) -> None:
    """A worker that would trade at a wrong host does not start: it says why and ends."""
    try:
        startup.require_exchange()
    except CommandError as error:
        raise SystemExit(f"robson: {error}") from error


@shared_task(name="trading.execute_intent")
def execute_intent(intent_id: int) -> None:
    """Execute one intent; a second delivery finds it settled or in other hands, and does nothing.

    Only who had it in hand comes back: else each delivery would add one to every later round.
    """
    intent = OrderIntent.objects.select_related("slot__account").get(pk=intent_id)
    with about(intent):
        _execute(intent)


def _execute(intent: OrderIntent) -> None:
    try:
        desk = gateway.desk_for(intent.slot.account)
    except gateway.MissingCredentials as error:
        # Nothing is claimed: whoever has the keys finds it at the next sweep.
        log.critical("%s is not executed by this worker: %s", intent, error)
        return
    had_it = execution.work(intent.pk, desk)
    due = execution.due_at(intent.pk) if had_it else None
    if due is not None:
        execute_intent.apply_async((intent.pk,), eta=due, expires=due + timedelta(minutes=1))


@shared_task(name="trading.sweep", expires=10)
def sweep() -> int:
    """Hand every intent that is due and in nobody's hands to the exits queue."""
    due = execution.due_intents(gateway.utc_now())
    for intent_id in due:
        execute_intent.apply_async((intent_id,), expires=30)
    return len(due)


# What these two leave behind is shown in the admin; the others run too often, or orders wait for them.
@shared_task(name="trading.reconcile", expires=50, ignore_result=False)
def reconcile() -> None:
    """Compare Core's positions with the exchange. One account that fails does not stop the others."""
    for account in queries.active_accounts():
        try:
            reconciliation.reconcile(account, gateway.desk_for(account))
        except ExchangeError:
            log.exception("%s was not reconciled; nothing was changed", account)


@shared_task(name="trading.prune_events", ignore_result=False)
def prune_events() -> int:
    """Delete events older than the keeping time, and nothing else."""
    return Event.prune(before=gateway.utc_now() - timedelta(days=KEEP_EVENTS_DAYS))
