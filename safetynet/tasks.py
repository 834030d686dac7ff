"""Celery tasks of the Safety Net: thin. Each may run twice, late, or at the same time as itself."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connections

from safetynet import exclusions, services
from trading import gateway, queries

log = logging.getLogger(__name__)


@shared_task(
    name="safetynet.poll_all",
    expires=20,
    acks_late=False,
    soft_time_limit=45,
    time_limit=55,
)
def poll_all() -> None:
    """Poll every active account. One that fails does not stop the others."""
    for account in queries.active_accounts():
        try:
            services.poll(account, gateway.desk_for(account))
        except Exception:
            log.exception("Safety Net: the account %s was not polled", account)


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
def rebuild_exclusions(**_: Any) -> None:
    """A worker starts with exclusion sets that are as true as the database."""
    try:
        for account in queries.active_accounts():
            exclusions.rebuild(account.name, queries.core_holdings(account))
    except DatabaseError:
        log.exception("Safety Net: the exclusion sets are not rebuilt")
    finally:
        connections.close_all()
