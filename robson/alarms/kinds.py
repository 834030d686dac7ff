"""What alarms there are, how loud they are, and how long one has to be gone to be over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How loud, from the least to the most."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)

    def reaches(self, least: "Severity") -> bool:
        """Whether this is as loud as `least`, or louder."""
        return self.rank >= least.rank


class Kind(StrEnum):
    """What an alarm is about."""

    UNPROTECTED = "unprotected position"
    EXIT_EXECUTED = "exit executed"
    EXIT_FAILING = "exit failing"
    FEED_STALE = "feed stale"
    POLL_LATE = "poll late"
    CONSUMER_DEAD = "consumer dead"
    RECONCILIATION = "reconciliation surprise"
    BAN = "ban"
    DUST = "dust"
    ENTRY_FAILED = "entry failed"
    POSITION_ERROR = "position in error"
    DATABASE_AWAY = "database away"
    BROKER_AWAY = "broker away"
    DIGEST = "daily digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a lasting alarm of a kind is treated.

    `after`: it must have been so for this long, without a break, before anyone is told. `hold`: it must have
    been gone for this long to be over, so that what comes and goes is told once. `remind`: told again.
    `settle`: not begun so soon after the start of the alarms: what they watch may be starting with them.
    """

    after: timedelta = timedelta(0)
    hold: timedelta = timedelta(seconds=10)
    remind: timedelta = timedelta(hours=1)
    settle: timedelta = timedelta(0)


_STARTING = timedelta(seconds=8)
_USUAL = Manner()
_MANNERS: Mapping[Kind, Manner] = {
    # A restart of a process, or one slow answer, is nobody's business.
    Kind.UNPROTECTED: Manner(after=timedelta(seconds=2), remind=timedelta(minutes=5), settle=_STARTING),
    Kind.BROKER_AWAY: Manner(after=timedelta(seconds=4)),
    Kind.CONSUMER_DEAD: Manner(settle=_STARTING),
    # While the consumer polls in the worker's place, a poll is late, then in time, then late again.
    Kind.POLL_LATE: Manner(hold=timedelta(seconds=60), settle=_STARTING),
    Kind.FEED_STALE: Manner(hold=timedelta(seconds=30)),
}


def manner(kind: Kind) -> Manner:
    """How lasting alarms of this kind are treated."""
    return _MANNERS.get(kind, _USUAL)
