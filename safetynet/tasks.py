"""Celery tasks of the Safety Net: thin. Each may run twice, late, or at the same time as itself."""

import logging
from typing import Any

from celery import Task, shared_task
from celery.signals import worker_ready
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connections
from kombu.exceptions import OperationalError as BrokerError

from safetynet import exclusions, services
from trading import gateway, queries

log = logging.getLogger(__name__)


@shared_task(
    bind=True,
    name="safetynet.poll_all",
    expires=20,
    acks_late=False,
    max_retries=3,
    default_retry_delay=4,
    soft_time_limit=45,
    time_limit=55,
)
def poll_all(self: Task[[], None]) -> None:
    """Poll every active account. One that fails does not stop the others.

    What fails is tried again within seconds, up to the next poll: a moment's trouble must not cost a whole
    interval.
    """
    try:
        polled = [_poll(account) for account in queries.active_accounts()]
    except DatabaseError:
        log.exception("Safety Net: nobody was polled")
        connections.close_all()
        polled = [False]
    if (
        not all(polled)
        and not self.request.called_directly
        and self.request.retries < (self.max_retries or 0)
    ):
        raise self.retry()


def _poll(account: queries.Account) -> bool:
    """Whether it went well, or trying again would be of no use."""
    try:
        return not services.poll(account, gateway.desk_for(account)).failures
    except Exception:
        log.exception("Safety Net: the account %s was not polled", account)
        return True


@shared_task(name="safetynet.exit_guard", acks_late=True)
def exit_guard(guard_id: int) -> None:
    """Exit one guarded position; a second delivery finds it taken, and does nothing."""
    try:
        services.exit_guard(guard_id)
    except (InterfaceError, OperationalError):
        # A connection that broke since the last task: the exit does not wait for the next poll.
        log.exception("Safety Net: the exit of guard #%s on a new connection to the database", guard_id)
        connections.close_all()
        services.exit_guard(guard_id)


@worker_ready.connect
def poll_at_once(**_: Any) -> None:
    """Whatever ended the worker before this one may have taken a poll with it."""
    try:
        poll_all.apply_async()
    except (BrokerError, OSError) as error:
        log.warning("Safety Net: no poll at the start, the next one comes within 20 s: %s", error)


@worker_ready.connect
def rebuild_exclusions(**_: Any) -> None:
    """A worker starts with exclusion sets that are as true as the database."""
    try:
        for account in queries.active_accounts():
            exclusions.rebuild(account.name, queries.core_holdings(account))
    except DatabaseError:
        log.exception("Safety Net: the exclusion sets are not rebuilt")
    finally:
        connections.close_all()
