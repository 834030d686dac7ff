"""Robson's Celery application, in a worker that notes when its poll sees a price and asks for an exit.

`celery -A benchmarks.observed worker ...`, with the file to write in BENCH_SEEN. Nothing else differs from
`celery -A robson worker ...`; a note costs some microseconds.
"""

import json
import os
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from celery.signals import before_task_publish, task_prerun

from robson.celery import app
from trading.exchange.rest import BinanceMargin

__all__ = ["app"]

_EXIT, _POLL = "safetynet.exit_guard", "safetynet.poll_all"
_prices = BinanceMargin.prices


def _note(what: str, guard_id: int = 0) -> None:
    line = json.dumps({"what": what, "guard_id": guard_id, "ns": time.monotonic_ns()})
    with open(os.environ["BENCH_SEEN"], "a", encoding="ascii") as file:  # noqa: PTH123 (half the time of Path)
        file.write(f"{line}\n")


def _prices_noted(exchange: BinanceMargin) -> Mapping[str, Decimal]:
    found = _prices(exchange)
    _note("prices")
    return found


@task_prerun.connect
def _on_start(task: Any, **_: Any) -> None:
    if task.name == _POLL:
        _note("poll")


@before_task_publish.connect(sender=_EXIT)
def _on_exit_asked(body: Any, **_: Any) -> None:
    _note("asked", body[0][0])


# An observer around the real call, put there without a subclass, since `gateway` names the class itself.
setattr(BinanceMargin, "prices", _prices_noted)  # noqa: B010 (mypy refuses an assignment to a method)
