"""Whose turn the poll of an account is. Two polls never overlap, and a crashed one gives way by itself.

A poll whose session with the database has ended is over: its process was killed, or the database restarted.
Nobody waits for the lease of the dead; it is for one that hangs.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL

from safetynet.models import PollState
from trading.domain.clocks import latest
from trading.queries import Account

# Longer than the poll's slowest single step; a working poll renews it before each of them.
LEASE = timedelta(seconds=30)
# Many quick steps are renewed for together.
FRESH = timedelta(seconds=3)

_SESSIONS = "SELECT pid || '@' || extract(epoch FROM backend_start) FROM pg_stat_activity"
# A process id alone may be given away again.
_OWN_SESSION = RawSQL(f"{_SESSIONS} WHERE pid = pg_backend_pid()", ())  # noqa: S611 (a constant text)
_LIVE_SESSIONS = RawSQL(_SESSIONS, ())  # noqa: S611 (a constant text)


class LeaseLost(Exception):
    """Another poll has taken over: this one must not go on."""


@dataclass(slots=True)
class Lease:
    """`dismissed`: balances, by symbol, that earlier polls have looked into and found to be no position.

    `recognised`: what the last poll said about the slots that it kept off, by slot. `late_s`: how much more
    than one interval after the poll before it this one began, in seconds.
    """

    account_id: int
    token: str
    started: datetime
    dismissed: dict[str, str]
    recognised: dict[str, str]
    renewed: datetime
    late_s: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What the next poll is to know: as in `Lease`."""

    dismissed: dict[str, str]
    recognised: dict[str, str]


def begin(account: Account, holder: str, now: datetime) -> Lease | None:
    """Take the poll's turn; None while another poll has it."""
    state, _ = PollState.objects.get_or_create(account=account, defaults={"lease_until": now})
    token = f"{secrets.token_hex(4)}:{holder}"[:64]
    taken = PollState.objects.filter(_free(now), account=account).update(
        lease_holder=token,
        lease_session=_OWN_SESSION,
        lease_until=now + LEASE,
        last_started_at=now,
        polls=F("polls") + 1,
    )
    if not taken:
        return None
    late_s = _late_s(state.last_started_at, now)
    return Lease(account.pk, token, now, state.dismissed, state.recognised, renewed=now, late_s=late_s)


def renew(lease: Lease, now: datetime) -> None:
    """Before a step that takes time. Raises LeaseLost."""
    if timedelta(0) <= now - lease.renewed < FRESH:
        return
    if not _held(lease).update(lease_until=now + LEASE):
        raise LeaseLost("another poll of this account has taken over")
    lease.renewed = now


def end(lease: Lease, now: datetime, *, learned: Learned | None = None, error: str = "") -> None:
    """Give the turn back. `error` counts a failure; `learned` replaces what was remembered, unless None."""
    fields: dict[str, object] = {
        "lease_until": now,
        "lease_session": "",
        "last_duration_s": Decimal(str(round(_lasted_s(lease, now), 3))),
        "last_error": error[:255],
        "failures_in_a_row": F("failures_in_a_row") + 1 if error else 0,
    }
    if not error:
        fields["last_success_at"] = now
    if learned is not None:
        fields |= {"dismissed": learned.dismissed, "recognised": learned.recognised}
    _held(lease).update(**fields)


def _free(now: datetime) -> Q:
    """Ended, run out, of a holder that is gone, or of a clock that has been set back since."""
    over = Q(lease_until__lte=now) | Q(lease_until__gt=latest(now, LEASE))
    return over | Q(lease_session="") | ~Q(lease_session__in=_LIVE_SESSIONS)


def _lasted_s(lease: Lease, now: datetime) -> float:
    return max(0.0, (now - lease.started) / timedelta(seconds=1))


def _late_s(before: datetime | None, now: datetime) -> float:
    if before is None:
        return 0.0
    return max(0.0, (now - before) / timedelta(seconds=1) - settings.POLL_INTERVAL_S)


def _held(lease: Lease) -> QuerySet[PollState]:
    return PollState.objects.filter(account_id=lease.account_id, lease_holder=lease.token)
