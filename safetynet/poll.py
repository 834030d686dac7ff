"""The poll: see the whole account, judge each slot, act. Every 20 seconds, from whichever process runs it."""

import logging
import time
from collections.abc import Callable

from django.db import DataError, IntegrityError
from django.db import Error as DatabaseError

from safetynet import acting, exclusions, exits, lease, metrics, observing, recognising
from safetynet.acting import PollReport
from safetynet.domain import Decision, Look, Situation, judge
from safetynet.lease import Learned, Lease
from trading import queries
from trading.exchange.errors import ExchangeError
from trading.execution import Desk
from trading.logcontext import about
from trading.queries import Account

log = logging.getLogger(__name__)

Judged = tuple[Situation, Decision]
Companion = Callable[[Account, Desk], None]
_companions: list[Companion] = []
_EXPECTED = (ExchangeError, DatabaseError, lease.LeaseLost)


def accompany(companion: Companion) -> None:
    """Have `companion` run with every poll of an account, whatever became of the poll itself."""
    if companion not in _companions:
        _companions.append(companion)


def poll(account: Account, desk: Desk) -> PollReport:
    """Poll one account. A question that fails changes nothing; it is logged, counted and reported.

    Positions that are as they were at the last poll cost no question of their own. Raises nothing of the
    exchange's or the database's.
    """
    with about(account):
        return _poll(account, desk)


def _poll(account: Account, desk: Desk) -> PollReport:
    report, began = PollReport(), time.perf_counter()
    try:
        turn = lease.begin(account, desk.holder, desk.clock())
        if turn is None:
            log.info("Safety Net: another poll of %s is under way", account)
            _count(account, "busy")
            return PollReport(ran=False)
        metrics.LAG.labels(account=account.name).observe(turn.late_s)
        learned = _attempt(account, desk, turn, report)
        lease.end(turn, desk.clock(), learned=learned, error="; ".join(report.failures))
    except DatabaseError as error:
        log.exception("Safety Net: the poll of %s failed", account)
        report.failures.append(_text(error))
    _count(account, "failed" if report.failures else "ok")
    metrics.DURATION.labels(account=account.name).observe(time.perf_counter() - began)
    for companion in _companions:
        companion(account, desk)
    return report


def _attempt(account: Account, desk: Desk, turn: Lease, report: PollReport) -> Learned | None:
    """What the next poll is to know; None when the poll did not get far enough to tell."""
    try:
        return _run(account, desk, turn, report)
    except Exception as error:
        # Whatever it was, the turn must end: nobody else polls before.
        why = "" if isinstance(error, _EXPECTED) else ": an error nobody expected"
        log.exception("Safety Net: the poll of %s failed%s", account, why)
        report.failures.append(_text(error))
        return None


def _run(account: Account, desk: Desk, turn: Lease, report: PollReport) -> Learned:
    sight = observing.observe(account, desk)
    slots = observing.situations(sight, account.name, turn.dismissed)
    for key in observing.untold(sight):
        report.failures.append(f"{sight.guards[key].slot}: the account's answer leaves its pair out")
        log.error("Safety Net: %s", report.failures[-1])
    known = {situation.slot.symbol: situation.balances for situation in slots if situation.dismissed}
    work = acting.Work(account, desk, turn, sight, report, dismissed=known)
    report.found = sum(situation.held > 0 for situation in slots)
    judged = [(situation, decision) for situation in slots for decision in judge(situation)]
    # Exits that are due wait neither for positions that need a look nor for those that are well.
    judged.sort(key=lambda pair: not acting.is_touched(work, pair[0]))
    looks = [pair for pair in judged if isinstance(pair[1], Look)]
    _act(work, [pair for pair in judged if pair not in looks])
    if len(looks) > 1:
        _prepare(work, looks)
    _act(work, looks)
    acting.save_seen(work)
    # What Redis said is part of the record, so before it is put right.
    recognised = recognising.record(work)
    if sight.core is not None:
        exclusions.rebuild(account.name, sight.core)
    return Learned(work.dismissed, recognised)


def _act(work: acting.Work, judged: list[Judged]) -> None:
    for situation, decision in judged:
        acting.act(work, situation, decision)
    _exit_here(work)


def _prepare(work: acting.Work, looks: list[Judged]) -> None:
    """At once what each look would ask for on its own, and still will if this fails."""
    keys = [situation.slot for situation, _ in looks]
    try:
        queries.have_slots(work.account, keys)
        work.desk.exchange.learn_rules([key.symbol for key in keys])
    except (ExchangeError, IntegrityError, DataError) as error:
        # Each look will hear of it again, and only that one.
        log.warning("Safety Net: not prepared for all positions at once: %s", error)


def _exit_here(work: acting.Work) -> None:
    """Exits that no worker seems to be going to execute. Should one do so after all, the claim decides."""
    while work.due_here:
        guard_id = work.due_here.pop()
        lease.renew(work.turn, work.desk.clock())
        try:
            exits.exit_guard(guard_id, work.desk)
        except Exception as error:
            if acting.ends_the_poll(error):
                raise
            # The others that are due must not wait for it, and would do so again at each poll.
            log.exception("Safety Net: the exit of guard #%s failed", guard_id)
            work.report.failures.append(_text(error))


def _count(account: Account, outcome: str) -> None:
    metrics.POLLS.labels(account=account.name, outcome=outcome).inc()


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
