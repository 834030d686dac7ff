"""One poll at work: what each decision means."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DataError, IntegrityError
from django.db import Error as DatabaseError

from safetynet import exits, guarding, inspecting, lease, metrics, observing
from safetynet.domain import (
    Close,
    Decision,
    KeepEnforcing,
    LeaveAlone,
    Look,
    Release,
    RequestExit,
    Situation,
    Skip,
    Waive,
    touch,
)
from safetynet.guarding import Finding
from safetynet.inspecting import Inspection
from safetynet.lease import Lease
from safetynet.models import GuardedPosition
from safetynet.observing import Sight
from trading.domain.episodes import Episode
from trading.domain.rounding import to_wire
from trading.domain.types import SlotKey
from trading.exchange.errors import ExchangeError
from trading.execution import Desk
from trading.logcontext import about
from trading.queries import Account

log = logging.getLogger(__name__)

# More than one interval of the poll.
GRACE = timedelta(seconds=30)
_ENDS_THE_POLL = (DatabaseError, lease.LeaseLost, SoftTimeLimitExceeded)
# The database answers, and refuses what would be written about one position.
_ONE_ROW = (IntegrityError, DataError)
# Between balances that were found to be no position and when, until that is settled.
SINCE = " since "


@dataclass
class PollReport:
    """What one poll did. `ran` is False when another poll of the account was under way."""

    ran: bool = True
    found: int = 0
    skipped: int = 0
    monitored: int = 0
    opened: int = 0
    recomputed: int = 0
    released: int = 0
    closed: int = 0
    exits_requested: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass
class Work:
    """One poll. `guards` are the live ones, with those that it opens.

    `seen` are the guards to be marked, `kept_off` the slots that are Core's, or that nobody can say anything
    about; `due_here` those whose exit the poll has to execute itself: the
    broker did not take it, or nobody has taken it from there since the last poll. `dismissed` are the
    balances, by symbol, that are known to be no position.
    """

    account: Account
    desk: Desk
    turn: Lease
    sight: Sight
    report: PollReport
    seen: list[GuardedPosition] = field(default_factory=list)
    kept_off: list[Situation] = field(default_factory=list)
    due_here: list[int] = field(default_factory=list)
    broker_away: bool = False
    dismissed: dict[str, str] = field(default_factory=dict)
    guards: dict[SlotKey, GuardedPosition] = field(init=False)

    def __post_init__(self) -> None:
        self.guards = dict(self.sight.guards)


def act(work: Work, situation: Situation, decision: Decision) -> None:
    """Do what was decided about a slot. What goes wrong with one position does not stop the others.

    Raises LeaseLost when another poll has taken over, SoftTimeLimitExceeded, and DatabaseError unless it is
    about this position's row alone.
    """
    guard = work.guards.get(situation.slot)
    with about(guard) if guard else about(symbol=situation.slot.symbol):
        _act_or_say_why(work, situation, decision)


def _act_or_say_why(work: Work, situation: Situation, decision: Decision) -> None:
    try:
        _act(work, situation, decision)
    except Exception as error:
        if ends_the_poll(error):
            raise
        why = "" if isinstance(error, ExchangeError | ValueError) else ": an error nobody expected"
        log.exception("Safety Net: %s stays as it was%s", _name(situation.slot), why)
        work.report.failures.append(f"{_name(situation.slot)}: {type(error).__name__}: {error}")
        guard = work.guards.get(situation.slot)
        if isinstance(decision, Look) and guard is not None:
            _enforce(work, situation, guard)


def ends_the_poll(error: Exception) -> bool:
    """Whether an error is about more than the one position that it came up with."""
    return isinstance(error, _ENDS_THE_POLL) and not isinstance(error, _ONE_ROW)


def is_touched(work: Work, situation: Situation) -> bool:
    """Whether the slot is guarded and its price has reached the stop."""
    guard = work.guards.get(situation.slot)
    return guard is not None and bool(touch(situation, observing.view(guard)))


def save_seen(work: Work) -> None:
    """Mark all guards that were seen, in one statement."""
    GuardedPosition.objects.bulk_update(work.seen, ["last_price", "last_seen_at"])


def _act(work: Work, situation: Situation, decision: Decision) -> None:
    match decision:
        case Skip(position_id):
            _skip(work, situation, position_id)
        case LeaveAlone():
            work.kept_off.append(situation)
            log.error("Safety Net: %s left alone: nobody can say whose it is", _name(situation.slot))
        case KeepEnforcing():
            _monitor(work, situation, work.guards[situation.slot])
        case Look():
            _look(work, situation)
        case Release(_, position_id):
            # What follows in this slot is about what is beside Core's part, which nobody guards yet.
            guard = work.guards.pop(situation.slot)
            work.report.released += guarding.release(guard, position_id, work.desk.clock())
        case Close():
            _close(work, work.guards[situation.slot])
        case RequestExit(_, price):
            _request_exit(work, work.guards[situation.slot], price)
        case Waive(_, price):
            log.warning("Safety Net: %s is exempted: no exit at %s", _name(situation.slot), to_wire(price))


def _skip(work: Work, situation: Situation, position_id: int) -> None:
    log.info("Safety Net: Skipping %s (Core-managed position_id=%s)", _name(situation.slot), position_id)
    work.kept_off.append(situation)
    metrics.SKIPPED.labels(reason="core_managed").inc()
    work.report.skipped += 1


def _monitor(work: Work, situation: Situation, guard: GuardedPosition) -> None:
    slot = situation.slot
    log.info(
        "Safety Net: Monitoring %s (manual position, safety stop=%s)", _name(slot), to_wire(guard.stop_price)
    )
    metrics.MONITORED.labels(symbol=slot.symbol).inc()
    work.report.monitored += 1
    if situation.price is None:
        work.report.failures.append(f"{_name(slot)}: the exchange gave no price")
        log.error("Safety Net: %s: the exchange gave no price", _name(slot))
        return
    guard.last_price, guard.last_seen_at = situation.price, work.desk.clock()
    work.seen.append(guard)


def _enforce(work: Work, situation: Situation, guard: GuardedPosition) -> None:
    _monitor(work, situation, guard)
    for decision in touch(situation, observing.view(guard)):
        _act(work, situation, decision)


def _request_exit(work: Work, guard: GuardedPosition, price: Decimal) -> None:
    first = guarding.remember_touch(guard, price, work.sight.priced_at)
    metrics.EXIT_REQUESTS.labels(symbol=guard.slot.symbol).inc()
    work.report.exits_requested.append(guard.pk)
    # One refusal is enough: asking a broker that is away takes time that exits have not got.
    work.broker_away = work.broker_away or not exits.ask(guard.pk)
    if work.broker_away or not first:
        work.due_here.append(guard.pk)


def _close(work: Work, guard: GuardedPosition, until: int | None = None) -> bool:
    """Close what is gone. Without a trade that shows it, only when it is still gone at the next poll."""
    price = inspecting.closing_price(work.account, guard, work.desk.exchange, until)
    now = work.desk.clock()
    if price is None and until is None and now - guard.last_seen_at < GRACE:
        log.warning("Safety Net: %s is gone without a trade: looking again", guard.slot)
        return False
    closed = guarding.close(guard, price, now)
    work.report.closed += closed
    return closed


def _look(work: Work, situation: Situation) -> None:
    lease.renew(work.turn, work.desk.clock())
    price = situation.price
    if price is None:
        raise ValueError("the exchange gave no price")
    guard = work.guards.get(situation.slot)
    found = inspecting.inspect(work.account, work.sight, situation, work.desk.exchange, price)
    if found.episode is None:
        _dismiss(work, situation, found, guard)
        return
    finding = _finding(situation, found.episode, price, work.desk.clock())
    if guard is not None and inspecting.is_another(guard, found.episode):
        _close(work, guard, until=found.episode.first_trade_id)
        guard = None
    if guard is None:
        guard = guarding.open_guard(work.account, situation.slot, finding)
        work.report.opened += guard is not None
    else:
        work.report.recomputed += guarding.recompute(guard, finding, found.lot)
    if guard is not None:
        work.guards[situation.slot] = guard
        _enforce(work, situation, guard)


def _dismiss(work: Work, situation: Situation, found: Inspection, guard: GuardedPosition | None) -> None:
    """There is no position of the owner's: collateral, or too little to trade."""
    if not found.nothing:
        symbol = situation.slot.symbol
        before = work.turn.dismissed.get(symbol, "")
        work.dismissed[symbol] = _dismissal(before, situation.balances, work.desk.clock())
    if guard is not None:
        _close(work, guard)


def _dismissal(before: str, balances: str, now: datetime) -> str:
    """What to remember. Trades may show later than balances: nothing is settled before a grace time."""
    looked_at, _, since = before.partition(SINCE)
    if looked_at != balances:
        return f"{balances}{SINCE}{now.isoformat()}"
    settled = not since or now - datetime.fromisoformat(since) >= GRACE
    return balances if settled else before


def _finding(situation: Situation, episode: Episode, price: Decimal, at: datetime) -> Finding:
    return Finding(
        episode=episode,
        price=price,
        balances=situation.balances,
        beside=situation.core.position_id if situation.core else None,
        at=at,
    )


def _name(slot: SlotKey) -> str:
    return f"{slot.symbol} {slot.side.capitalize()}"
