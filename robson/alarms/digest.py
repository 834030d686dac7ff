"""The daily digest: what was opened and closed, with what result, and how the last day has been."""

from collections import Counter
from datetime import datetime, time, timedelta

from robson import holdings
from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm
from safetynet.models import GuardedPosition, PollState
from trading.domain.rounding import people
from trading.models import Account, Position

DAY = timedelta(days=1)
# Whoever starts Robson in the evening does not want the digest of this morning.
LATEST = timedelta(hours=6)
MOST_LISTED = 20


def is_due(at: time, now: datetime) -> bool:
    """Whether today's digest may be told now: from its time of day on, for some hours."""
    today = datetime.combine(now.date(), at, tzinfo=now.tzinfo)
    return today <= now < today + LATEST


def draft(now: datetime) -> Draft:
    """The digest of the last 24 hours, once a date. Raises DatabaseError."""
    since = now - DAY
    lines = [*_core(since), *_safety_net(since), *_now(now), _alarms(since), *_polls(since, now)]
    return Draft(
        kind=Kind.DIGEST,
        key=f"digest:{now:%Y-%m-%d}",
        severity=Severity.INFO,
        subject=f"{now:%Y-%m-%d}",
        text="\n".join(lines),
        at=now,
    )


def _core(since: datetime) -> list[str]:
    opened = Position.objects.filter(opened_at__gte=since).count()
    ended = Position.objects.select_related("slot").filter(closed_at__gte=since, entry_price__isnull=False)
    closed = list(ended.order_by("closed_at"))
    lines = [f"Core: {opened} opened, {len(closed)} closed"]
    lines += [
        f"  {one}: out at {people(one.exit_price)}, result {people(one.realised_pnl)} ({one.exit_reason})"
        for one in closed[:MOST_LISTED]
    ]
    return lines if len(closed) <= MOST_LISTED else [*lines, f"  and {len(closed) - MOST_LISTED} more"]


def _safety_net(since: datetime) -> list[str]:
    opened = GuardedPosition.objects.filter(opened_at__gte=since).count()
    reasons = GuardedPosition.objects.filter(closed_at__gte=since).values_list("end_reason", flat=True)
    ended = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(reasons).items()))
    return [f"Safety Net: {opened} found, {len(reasons)} ended" + (f" ({ended})" if ended else "")]


def _now(now: datetime) -> list[str]:
    every = holdings.holdings(Account.objects.all(), now=now)
    exposed = [one for one in every if one.exposed]
    bare = sum(bool(one.unprotected_because) for one in exposed)
    exempt = sum(one.exempt for one in exposed)
    return [f"Now: {len(exposed)} open, {bare} of them unprotected, {exempt} exempt"]


def _alarms(since: datetime) -> str:
    kinds = Alarm.objects.filter(raised_at__gte=since).exclude(kind__in=[Kind.DIGEST, Kind.TEST])
    counted = sorted(Counter(kinds.values_list("kind", flat=True)).items())
    return "Alarms: " + (", ".join(f"{count} {kind}" for kind, count in counted) or "none")


def _polls(since: datetime, now: datetime) -> list[str]:
    """How much of the time the polls of each account were in time, by the alarms that say otherwise."""
    late: Counter[str] = Counter()
    alarms = Alarm.objects.filter(kind=Kind.POLL_LATE, last_seen_at__gte=since)
    for alarm in alarms:
        late[alarm.account] += round(
            (min(alarm.last_seen_at, now) - max(alarm.raised_at, since)).total_seconds()
        )
    states = PollState.objects.select_related("account").filter(account__active=True)
    return [
        f"Polls of {state.account}: in time {_share(late[state.account.name])} of the time, "
        f"{state.polls} since the beginning"
        for state in states.order_by("account__name")
    ]


def _share(late_s: int) -> str:
    return f"{100 * (1 - late_s / DAY.total_seconds()):.2f} %"
