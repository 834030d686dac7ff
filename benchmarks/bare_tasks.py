"""The worker's side of the usual Celery path: lock, update and insert in one transaction, then the order.

`celery -A benchmarks.bare_tasks worker -Q bench`. It has Robson's own Celery settings.
"""

import os
from functools import cache
from typing import Any

from benchmarks.bare_line import bare_client, sell
from robson.celery import app

QUEUE = "bench"


@app.task(queue=QUEUE, name="benchmarks.bare_exit")
def bare_exit(slot_id: int, quantity: str) -> None:
    """Record the exit in one transaction, then sell. `quantity` in base currency."""
    # Django is not set up yet when Celery imports this module.
    from django.db import transaction
    from django.utils import timezone

    from trading.models import Account, Event, Slot

    with transaction.atomic():
        slot = Slot.objects.select_for_update().get(pk=slot_id)
        Account.objects.filter(pk=slot.account_id).update(risk_percent=1)
        Event.objects.create(kind="bench.exit", at=timezone.now(), slot=slot, source="bench", data={})
    sell(_client(), slot.symbol, quantity)


@cache
def _client() -> Any:
    return bare_client(os.environ["BENCH_BARE_KEY"], os.environ["BENCH_BARE_SECRET"])
