"""Reading the end of the event log without losing an event and without reading one twice.

Numbers are given before they are committed: an event may appear below one that was read already. Whoever had
a number then was a transaction under way then. So everything above a *floor* is read again at each look, and
the floor rises to the last number seen once every transaction of that moment has ended.
"""

from collections import deque
from dataclasses import dataclass

from django.db import connection
from django.db.models import Max

from robson.alarms.facts import KINDS, Fact
from trading.models import Event

# Between taking a number and being a transaction that the snapshot knows.
SETTLED_S = 5.0


@dataclass(frozen=True, slots=True)
class Mark:
    """At `at` (monotonic s) the log ended with `last`, and the next transaction was to be `next_xid`."""

    at: float
    last: int
    next_xid: int


class Tail:
    """The end of the log above `floor`; None begins with what comes from now on."""

    def __init__(self, floor: int | None) -> None:
        self.floor = _last_id() if floor is None else floor
        self._read: set[int] = set()
        self._marks: deque[Mark] = deque()

    def read(self, now: float) -> list[Fact]:
        """What has been committed since the last look, in the order of its numbers. `now`: monotonic s.

        The caller writes down what follows from it before it looks again. Raises DatabaseError.
        """
        # In this order: who has a number up to `last` is in the snapshot, and who has left it is in the rows.
        last = max(_last_id(), self.floor)
        oldest_xid, next_xid = _snapshot()
        facts = [fact for fact in _facts_above(self.floor) if fact.id not in self._read]
        self._read.update(fact.id for fact in facts)
        self._raise_floor(now, oldest_xid)
        if last > (self._marks[-1].last if self._marks else self.floor):
            self._marks.append(Mark(now, last, next_xid))
        return facts

    def forget(self) -> None:
        """What was read last could not be written down: it is to be read again."""
        self._read.clear()

    def _raise_floor(self, now: float, oldest_xid: int) -> None:
        while self._marks and self._marks[0].at <= now - SETTLED_S and self._marks[0].next_xid <= oldest_xid:
            self.floor = self._marks.popleft().last
        self._read = {number for number in self._read if number > self.floor}


def _last_id() -> int:
    return Event.objects.aggregate(last=Max("id"))["last"] or 0


def _snapshot() -> tuple[int, int]:
    """(the oldest transaction under way, the next one to begin), by number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(seen)::text::bigint, pg_snapshot_xmax(seen)::text::bigint"
            " FROM pg_current_snapshot() AS seen"
        )
        oldest, following = cursor.fetchone()
    return oldest, following


def _facts_above(floor: int) -> list[Fact]:
    events = Event.objects.filter(id__gt=floor, kind__in=KINDS).select_related("slot__account")
    return [_fact(event) for event in events.order_by("id")]


def _fact(event: Event) -> Fact:
    slot = event.slot
    return Fact(
        id=event.pk,
        kind=event.kind,
        at=event.at,
        account=slot.account.name if slot else str(event.data.get("account", "")),
        slot=str(slot or ""),
        slot_id=event.slot_id,
        position_id=event.position_id,
        guard_id=event.guard_id,
        intent_id=event.intent_id,
        data=event.data,
    )
