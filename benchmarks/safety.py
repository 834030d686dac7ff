"""Safety Net: from the poll that sees a touched stop to the exit order's arrival, beside a bare Celery path.

The trigger is the moment when the poll has the price in hand; the poll's own part is told besides. Both
workers are real, and the poll's notes its times (see `observed`).
"""

import json
import os
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from benchmarks import bare_line
from benchmarks.bare_tasks import QUEUE
from benchmarks.figures import Figure, Times
from benchmarks.market import TOUCH, Trader, open_account, publish, symbols
from benchmarks.stage import BenchmarkError, Stage, until
from benchmarks.touching import PAUSES_S, Touches, delays_ns
from robson.local import commands, paths
from robson.local.commands import Service
from safetynet.models import GuardedPosition
from safetynet.tasks import poll_all
from trading.domain.lifecycle import LIVE_GUARD_STATES, GuardState
from trading.domain.types import Side
from trading.models import Account, Slot

BARE_SYMBOL = "SYN48USDT"
BARE_QUANTITY = "1"
QUANTITY = Decimal(10)
TARGET_RATIO = 2.0
# Each child of a worker opens its connections with its first exit: told on its own.
COLD = 6
# More than a poll and an exit take.
AFTER_POLL_S = 0.25


@dataclass(frozen=True)
class Seen:
    """When one poll started, had its prices, and asked for the exit of a guard: monotonic nanoseconds."""

    guard_id: int
    started: int
    priced: int
    asked: int


def measure(stage: Stage) -> list[Figure]:
    """Safety exits and exits of the bare path by turns, so that what disturbs one disturbs the other."""
    trader = open_account(stage.simulator.control, "safety")
    bare = _bare_trader(trader)
    notes = paths.private_dir() / "seen.jsonl"
    os.environ["BENCH_SEEN"] = str(notes)
    rounds, count = (1, 18) if stage.quick else (2, 40)
    touched: Touches = []
    with stage.processes(*_services(bare)):
        for number in range(rounds):
            stage.tell(f"round {number + 1} of {rounds}: {count} positions")
            _have_guards(trader, symbols(0, count))
            touched += _touch_all(stage, symbols(0, count), (number / rounds, 1 / rounds))
            until(partial(_all_closed, trader), "all guards closed")
    if trader.violations():
        raise BenchmarkError(f"the ledger shows violations: {trader.violations()}")
    return _figures(_seen(notes), trader, Times.from_ns(delays_ns(touched, bare)[COLD:]))


def _figures(seen: list[Seen], trader: Trader, bare: Times) -> list[Figure]:
    named = {guard.pk: guard.slot.symbol for guard in GuardedPosition.objects.select_related("slot")}
    priced = delays_ns([(named[each.guard_id], each.priced) for each in seen], trader)
    asked = delays_ns([(named[each.guard_id], each.asked) for each in seen], trader)
    exits, queued = Times.from_ns(priced[COLD:]), Times.from_ns(asked[COLD:])
    polls = Times.from_ns(each.asked - each.started for each in seen[COLD:])
    return [
        *exits.figures("Safety Net, price read by the poll to exit order"),
        *queued.figures("  of it, exit asked for to exit order"),
        *polls.figures("Before it, the poll's start to the exit asked for"),
        Figure("The first of all, with workers just started", priced[0] / 1e6, "ms"),
        *bare.figures("Bare Celery path, price published to order"),
        Figure("Safety Net : bare Celery, p50", exits.p50 / bare.p50, "x", at_most=TARGET_RATIO),
    ]


def _services(bare: Trader) -> list[Service]:
    poller = commands.worker("safetynet", concurrency=1)
    taker = commands.worker(QUEUE, concurrency=2)
    slot = Slot.of(bare.account, BARE_SYMBOL, Side.LONG)
    watching = ("python", "-m", "benchmarks.bare_celery", BARE_SYMBOL, str(slot.pk), BARE_QUANTITY)
    return [
        commands.worker("exits", concurrency=2),
        _of(poller, "benchmarks.observed"),
        _of(taker, "benchmarks.bare_tasks"),
        Service("bare-celery", watching, bare_line.READY),
    ]


def _of(worker: Service, application: str) -> Service:
    """The same worker, of another Celery application."""
    arguments = (application if each == "robson" else each for each in worker.arguments)
    return replace(worker, arguments=tuple(arguments))


def _bare_trader(trader: Trader) -> Trader:
    """An account that the bare path sells from. The poll does not see it."""
    key, secret = "bare-celery-key", "bare-celery-secret"
    os.environ["BENCH_BARE_KEY"], os.environ["BENCH_BARE_SECRET"] = key, secret
    trader.control.call("POST", "account", {"api_key": key, "secret": secret})
    bare = Trader(trader.control, Account.objects.create(name="bare", active=False), key)
    bare.buy(BARE_SYMBOL, Decimal(400))
    return bare


def _have_guards(trader: Trader, names: list[str]) -> None:
    """Positions opened by hand, found and guarded by a poll of the worker."""
    for name in names:
        trader.buy(name, QUANTITY)
    poll_all.delay()
    until(lambda: _guards(trader) == len(names), "all positions guarded")


def _guards(trader: Trader) -> int:
    return GuardedPosition.objects.filter(slot__account=trader.account, state=GuardState.GUARDING).count()


def _all_closed(trader: Trader) -> bool:
    mine = GuardedPosition.objects.filter(slot__account=trader.account)
    return not mine.filter(state__in=LIVE_GUARD_STATES).exists()


def _touch_all(stage: Stage, names: list[str], part: tuple[float, float]) -> Touches:
    """Let one stop after the other be touched, and polled. When the bare path's prices were published."""
    control = stage.simulator.control
    bare: Touches = []
    time.sleep(1.0)
    for done, name in enumerate(names, start=1):
        publish(control, name, TOUCH)
        poll_all.delay()
        time.sleep(AFTER_POLL_S + next(PAUSES_S))
        bare.append((BARE_SYMBOL, publish(control, BARE_SYMBOL, TOUCH)))
        time.sleep(next(PAUSES_S))
        stage.advance(part[0] + part[1] * done / len(names))
    return bare


def _seen(notes: Path) -> list[Seen]:
    """What the polls noted, one for each exit: only the first request of a guard counts."""
    latest = {"poll": 0, "prices": 0}
    found: dict[int, Seen] = {}
    for line in notes.read_text(encoding="ascii").splitlines():
        note = json.loads(line)
        if note["what"] == "asked":
            seen = Seen(note["guard_id"], latest["poll"], latest["prices"], note["ns"])
            found.setdefault(seen.guard_id, seen)
        else:
            latest[note["what"]] = note["ns"]
    return list(found.values())
