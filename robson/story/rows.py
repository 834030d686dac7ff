"""What a story is made of: the rows about one position or guard, read in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from safetynet.models import GuardedPosition
from trading.domain.events import EventKind
from trading.models import Event, OrderIntent, Position, Slot
from trading.models.intent import Owner

MOST_EVENTS = 2_000
# About a slot or an account, and part of the story of whatever was open there meanwhile.
OF_THE_SLOT = (EventKind.GUARD_EXEMPTED, EventKind.GUARD_EXEMPTION_ENDED, EventKind.GUARD_LEFT_ALONE)
OF_THE_ACCOUNT = (
    EventKind.ACCOUNT_PAUSED,
    EventKind.ACCOUNT_RESUMED,
    EventKind.ACCOUNT_CHANGED,
    EventKind.ACCOUNT_SWITCHED_OFF,
    EventKind.ACCOUNT_SWITCHED_ON,
    EventKind.EXCHANGE_BANNED,
)


@dataclass(frozen=True, slots=True)
class Span:
    """From when on something is told, and until when; both ends belong to it."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything about one slot in a span. `cut`: there are more events than are told."""

    slot: Slot
    span: Span
    events: list[Event]
    intents: list[OrderIntent]
    positions: list[Position]
    guards: list[GuardedPosition]
    cut: bool = False


def rows_of_position(position: Position, now: datetime) -> Rows:
    """The position's own rows, and those of guards and safety exits in its slot during its life."""
    span = Span(position.armed_at, position.closed_at or now)
    guards = list(_overlapping_guards(position.slot, span))
    about = Q(position=position) | Q(guard_id__in=[guard.pk for guard in guards])
    safety = Q(slot=position.slot, owner=Owner.SAFETY_NET, created_at__lte=span.end) & (
        Q(settled_at__isnull=True) | Q(settled_at__gte=span.start)
    )
    intents = _intents(Q(position=position) | safety)
    return _rows(position.slot, span, about, intents=intents, positions=[position], guards=guards)


def rows_of_guard(guard: GuardedPosition, now: datetime) -> Rows:
    """The guard's own rows, and which positions of Core's were in its slot during its life."""
    span = Span(guard.opened_at, guard.closed_at or now)
    beside = Position.objects.select_related("slot__account").filter(
        Q(closed_at__isnull=True) | Q(closed_at__gte=span.start), slot=guard.slot, armed_at__lte=span.end
    )
    recognised = Q(slot=guard.slot, kind=EventKind.POSITION_RECOGNISED, **_within(span))
    about = Q(guard_id=guard.pk) | recognised
    intents = _intents(Q(guard_id=guard.pk))
    return _rows(guard.slot, span, about, intents=intents, positions=list(beside), guards=[guard])


def _rows(
    slot: Slot,
    span: Span,
    about: Q,
    *,
    intents: list[OrderIntent],
    positions: list[Position],
    guards: list[GuardedPosition],
) -> Rows:
    around = Q(slot=slot, kind__in=OF_THE_SLOT, **_within(span))
    paused = Q(kind__in=OF_THE_ACCOUNT, data__account=slot.account.name, **_within(span))
    events = [*_events(about), *_events(around), *_events(paused)]
    told = sorted({event.pk: event for event in events}.values(), key=lambda one: one.pk)
    return Rows(slot, span, told[-MOST_EVENTS:], intents, positions, guards, len(told) > MOST_EVENTS)


def _events(about: Q) -> Iterable[Event]:
    return Event.objects.filter(about).order_by("-id")[: MOST_EVENTS + 1]


def _intents(which: Q) -> list[OrderIntent]:
    found = OrderIntent.objects.filter(which).select_related("slot").order_by("id")
    return list(found.prefetch_related("attempts__fills"))


def _overlapping_guards(slot: Slot, span: Span) -> QuerySet[GuardedPosition]:
    open_then = Q(closed_at__isnull=True) | Q(closed_at__gte=span.start)
    return GuardedPosition.objects.filter(open_then, slot=slot, opened_at__lte=span.end).order_by("id")


def _within(span: Span) -> dict[str, datetime]:
    return {"at__gte": span.start, "at__lte": span.end}
