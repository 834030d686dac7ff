"""One poll of an account with 50 positions: how long, and with how many questions."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from benchmarks.figures import Figure, Times
from benchmarks.market import Trader, open_account, symbols
from benchmarks.stage import BenchmarkError, Stage
from safetynet import services
from trading import gateway, metrics

FEW, MANY = 5, 50
TARGET_MS = 1_000.0


@dataclass(frozen=True)
class Poll:
    """One poll: its length in nanoseconds, database queries, calls to the exchange, positions monitored."""

    ns: int
    queries: int
    calls: int
    monitored: int


def measure(stage: Stage) -> list[Figure]:
    """The first poll, which looks into every position, and polls after which nothing has changed."""
    times = 5 if stage.quick else 30
    few, many = (_polled(stage, f"poll{count}", count, times) for count in (FEW, MANY))
    steady = Times.from_ns(poll.ns for poll in many[1:])
    first = many[0]
    return [
        Figure("First poll of 50", first.ns / 1e6, "ms", TARGET_MS, note=_questions(first)),
        Figure("Poll of 50 as before, p50", steady.p50, "ms", TARGET_MS, note=f"n = {times}"),
        Figure("Poll of 50 as before, p99", steady.p99, "ms", TARGET_MS),
        Figure("Poll of 5 as before, p50", Times.from_ns(poll.ns for poll in few[1:]).p50, "ms"),
        *_growth("Database queries", few[-1].queries, many[-1].queries),
        *_growth("Calls to the exchange", few[-1].calls, many[-1].calls),
    ]


def _growth(name: str, few: int, many: int) -> list[Figure]:
    return [
        Figure(f"{name} of a poll of {FEW} as before", few, ""),
        Figure(f"{name} of a poll of {MANY} as before", many, "", at_most=few, note="must not grow"),
    ]


def _questions(poll: Poll) -> str:
    return f"{poll.queries} queries, {poll.calls} calls: each position is looked into"


def _polled(stage: Stage, name: str, count: int, times: int) -> list[Poll]:
    """A first poll of an account with this many positions opened by hand, then `times` more."""
    stage.tell(f"{count} positions")
    trader = open_account(stage.simulator.control, name)
    for symbol in symbols(0, count):
        trader.buy(symbol, Decimal(10))
    polls = []
    for done in range(1 + times):
        polls.append(_poll(trader))
        stage.advance(done / times)
        time.sleep(0.02)
    if any(poll.monitored != count for poll in polls):
        raise BenchmarkError(f"polls saw {[poll.monitored for poll in polls]} of {count} positions")
    return polls


def _poll(trader: Trader) -> Poll:
    queries = 0

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    desk, calls = gateway.desk_for(trader.account), _calls()
    with connection.execute_wrapper(count):
        started = time.perf_counter_ns()
        report = services.poll(trader.account, desk)
        took = time.perf_counter_ns() - started
    if report.failures:
        raise BenchmarkError(f"the poll failed: {report.failures}")
    return Poll(took, queries, int(_calls() - calls), report.monitored)


def _calls() -> float:
    """Calls to the exchange that this process has made."""
    samples = (sample for metric in metrics.EXCHANGE_CALLS.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))
