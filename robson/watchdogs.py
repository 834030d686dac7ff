"""The two watchdogs, each in the other's process. Neither knows the other's app, so they meet here."""

import logging
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error as DatabaseError

from safetynet import poll
from safetynet.models import PollState
from trading import execution, gateway, operations, queries, watchdog
from trading.consumer import process
from trading.domain.clocks import age
from trading.exchange.errors import ExchangeError
from trading.execution import Desk
from trading.models import Account, OrderIntent

log = logging.getLogger(__name__)

MISSED_POLLS = 2
# Two sweeps, and the time that a worker needs.
OVERDUE = timedelta(seconds=5)


def install() -> None:
    """The poll watches the consumer, the consumer watches the poll, and both watch the sweep."""
    poll.accompany(drive_stops_of_silent_consumer)
    poll.accompany(finish_what_is_overdue)
    process.accompany(poll_when_late)
    process.accompany(finish_what_is_overdue)


def drive_stops_of_silent_consumer(account: Account, desk: Desk) -> None:
    """Runs with every poll. An error is announced; the next poll tries again."""
    try:
        for claimed in watchdog.stand_in(account, desk):
            ours = operations.hand_over(claimed).ours
            for intent in claimed:
                if intent.pk in ours:
                    _finish(intent)
    except (ExchangeError, DatabaseError):
        log.critical("%s: the watchdog could not drive Core's stops", account, exc_info=True)


def poll_when_late(watching_since: datetime) -> None:
    """Runs in the consumer every few seconds: when no poll has run for two intervals, it runs one."""
    for account in queries.active_accounts():
        late_s = _silence_s(account, watching_since)
        if late_s > MISSED_POLLS * settings.POLL_INTERVAL_S:
            log.critical("%s: no poll has run for %.0f s, the consumer runs it", account, late_s)
            try:
                poll.poll(account, gateway.desk_for(account))
            except gateway.MissingCredentials as error:
                log.critical("%s: cannot be polled, the other accounts are: %s", account, error)


def finish_what_is_overdue(*_: object) -> None:
    """Runs with every poll, and in the consumer every few seconds: orders that nobody takes up any more.

    A process that died has left them behind, or they wait for their next attempt, and the sweep or its broker
    is away. Should a worker take one all the same, the lease decides.
    """
    try:
        overdue = execution.due_intents(gateway.utc_now() - OVERDUE)
        for intent in OrderIntent.objects.select_related("slot__account").filter(pk__in=overdue):
            _finish(intent)
    except DatabaseError:
        log.critical("orders that nobody takes up cannot be finished", exc_info=True)


def _finish(intent: OrderIntent) -> None:
    log.critical("%s: no worker has taken it up, it is executed here", intent)
    try:
        operations.execute_here(intent)
    except ExchangeError as error:
        log.critical("%s: cannot be executed, the others are: %s", intent, error)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        log.critical("%s: cannot be executed, the others are", intent, exc_info=True)


def _silence_s(account: Account, watching_since: datetime) -> float:
    """Seconds since a poll of this account began, or since this process has been watching."""
    state, now = PollState.objects.filter(account=account).first(), gateway.utc_now()
    last = state.last_started_at if state and state.last_started_at else watching_since
    return min(age(last, now), age(watching_since, now)) / timedelta(seconds=1)
