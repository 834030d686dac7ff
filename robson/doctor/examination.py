"""All checks at the same time, each in a thread of its own: one that hangs holds none of the others up."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from robson.asking import ask
from robson.doctor import alarms, exchange, machine, processes, stores, trades
from robson.doctor.findings import Check, Finding, Verdict, failed, skipped
from trading.explain import EXPECTED, explain

WITHIN_S = 8.0
LOOK_EVERY_S = 0.1
CHECKS: tuple[Check, ...] = (
    *machine.CHECKS,
    *stores.CHECKS,
    *exchange.CHECKS,
    *processes.CHECKS,
    *trades.CHECKS,
    *alarms.CHECKS,
)

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, or why it found nothing."""

    check: Check
    findings: Sequence[Finding]
    trouble: str = ""


def examine(checks: Sequence[Check], *, within_s: float = WITHIN_S, told: Told) -> list[Finding]:
    """Run all checks, in `within_s` seconds at most; `told(done, all)` hears how far it is."""
    asked = [(check, ask(check.run)) for check in checks]
    deadline = time.monotonic() + within_s
    while (left := sum(not answer.done() for _, answer in asked)) and time.monotonic() < deadline:
        told(len(asked) - left, len(asked))
        time.sleep(LOOK_EVERY_S)
    outcomes = [_outcome(check, answer, within_s) for check, answer in asked]
    return list(_judged(outcomes))


def _outcome(check: Check, answer: "Future[Sequence[Finding]]", within_s: float) -> Outcome:
    if not answer.done():
        return Outcome(check, (), f"no answer within {within_s:.0f} s")
    error = answer.exception()
    return Outcome(check, answer.result()) if error is None else Outcome(check, (), _told(error))


def _told(error: BaseException) -> str:
    if isinstance(error, EXPECTED):
        return explain(error)
    if isinstance(error, BrokerError | RedisError | OSError):
        return f"The broker does not answer ({error})."
    return f"This check is broken ({type(error).__name__}: {error}); please report it."


def _judged(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    found = [finding for outcome in outcomes for finding in outcome.findings]
    bad = {finding.name for finding in found if finding.verdict is Verdict.FAILED}
    bad |= {outcome.check.name for outcome in outcomes if outcome.trouble and not outcome.check.needs}
    for outcome in outcomes:
        if not outcome.trouble:
            yield from outcome.findings
            continue
        culprits = [name for name in outcome.check.needs if name in bad]
        if culprits:
            yield skipped(outcome.check.name, f"cannot be told: {' and '.join(culprits)} failed")
        else:
            yield failed(outcome.check.name, outcome.trouble, "See the reason, then ask the doctor again.")
