"""What the owner should have heard of lately."""

from dataclasses import dataclass
from datetime import datetime

from robson.story.sentences import say
from trading.domain.events import EventKind
from trading.models import Event

NOTEWORTHY = (
    EventKind.POSITION_FAILED,
    EventKind.POSITION_MISSING,
    EventKind.POSITION_REDUCED,
    EventKind.POSITION_EXIT_REQUESTED,
    EventKind.POSITION_CLOSED,
    EventKind.GUARD_EXIT_REQUESTED,
    EventKind.GUARD_CLOSED,
    EventKind.GUARD_LEFT_ALONE,
    EventKind.INTENT_UNKNOWN,
    EventKind.INTENT_REFUSED,
    EventKind.INTENT_DUST,
    EventKind.ACCOUNT_PAUSED,
)
LOUD = {EventKind.POSITION_FAILED, EventKind.GUARD_LEFT_ALONE, EventKind.INTENT_UNKNOWN}


@dataclass(frozen=True, slots=True)
class Notice:
    """`lasts`: it is still so. `to_do` is empty where nothing has to be done."""

    at: datetime
    severity: str
    subject: str
    text: str
    to_do: str = ""
    lasts: bool = False


def recent(limit: int) -> tuple[Notice, ...]:
    """The latest, the newest first, in one query."""
    events = Event.objects.select_related("slot__account").filter(kind__in=NOTEWORTHY).order_by("-id")
    return tuple(_notice(event) for event in events[:limit])


def _notice(event: Event) -> Notice:
    about = f"{event.slot} ({event.slot.account})" if event.slot else str(event.data.get("account", ""))
    severity = "warning" if event.kind in LOUD else "info"
    return Notice(event.at, severity, about, say(event.kind, event.data)[1])
