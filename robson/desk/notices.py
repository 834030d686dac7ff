"""The last alarms, as the page shows them."""

from dataclasses import dataclass
from datetime import datetime

from robson import alarms
from robson.alarms.models import Alarm


@dataclass(frozen=True, slots=True)
class Notice:
    """`lasts`: it is still so. `to_do` is empty where nothing has to be done."""

    at: datetime
    severity: str
    subject: str
    text: str
    to_do: str
    lasts: bool


def recent(limit: int) -> tuple[Notice, ...]:
    """What is still so first, then the newest, in two queries."""
    return tuple(map(_notice, alarms.recent(limit)))


def _notice(alarm: Alarm) -> Notice:
    return Notice(
        at=alarm.raised_at,
        severity=alarm.severity,
        subject=f"{alarm.kind}: {alarm.subject}",
        text=alarm.text,
        to_do=alarm.to_do if alarm.is_open else "",
        lasts=alarm.is_open,
    )
