"""The usual Celery path, its watching side: each touch becomes a task.

`python -m benchmarks.bare_celery SYMBOL SLOT_ID QUANTITY` asks for a sale at every price at or below 98.
"""

import asyncio
import sys

import django

from benchmarks.bare_line import watch
from benchmarks.bare_tasks import bare_exit


def main(symbol: str, slot_id: str, quantity: str) -> None:
    # Celery loads every task of the project before it sends the first.
    django.setup()
    asyncio.run(watch(symbol, lambda: _ask(int(slot_id), quantity)))


def _ask(slot_id: int, quantity: str) -> None:
    bare_exit.delay(slot_id, quantity)


if __name__ == "__main__":
    main(*sys.argv[1:])
