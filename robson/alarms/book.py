"""Writing alarms down: each once, with who is to be told, in the transaction of the look that found them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from django.db import transaction
from django.db.models import F

from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity, manner
from robson.alarms.models import Alarm, Telling
from trading.domain.clocks import age, latest

About = Telling.About


class Listener(Protocol):
    """A channel, as far as it matters who is told what."""

    @property
    def name(self) -> str: ...

    @property
    def least(self) -> Severity: ...


@dataclass
class Book:
    """What is known of alarms between two looks. `started` is when this process began to watch."""

    listeners: Sequence[Listener]
    started: datetime
    _since: dict[str, datetime] = field(default_factory=dict)

    def write(self, happened: Iterable[Draft], states: Sequence[Draft] | None, now: datetime) -> list[Alarm]:
        """Raise, keep, remind of and end alarms. `states` are all that hold now, None if nobody has looked.

        Returns what is new. Raises DatabaseError, and nothing is written then.
        """
        drafts = list(happened)
        with transaction.atomic():
            open_now = {alarm.key: alarm for alarm in Alarm.objects.filter(lasting=True, cleared_at=None)}
            new = self._once([draft for draft in drafts if not draft.lasting], now)
            for draft in drafts:
                if draft.lasting:
                    new += self._meet(open_now, draft, now)
            if states is not None:
                for draft in self._ripe(states, open_now, now):
                    new += self._meet(open_now, draft, now)
                self._remind(open_now.values(), now)
                self._end(open_now.values(), now)
        return new

    def note_told(self, draft: Draft, told: Collection[str], now: datetime) -> None:
        """Something was told from memory, by these channels, while it could not be written down."""
        with transaction.atomic():
            alarm = _alarm(
                replace(draft, at=now),
                draft.at,
                holds_until=now + manner(draft.kind).hold,
                told_at=now if told else None,
            )
            alarm.save(force_insert=True)
            self._tell([alarm], About.BEGUN, now)
            Telling.objects.filter(alarm=alarm, channel__in=told).update(told_at=now)

    def _ripe(self, states: Sequence[Draft], open_now: dict[str, Alarm], now: datetime) -> list[Draft]:
        """Those that have been so for long enough to be told, or have been told already."""
        self._since = {draft.key: min(self._since.get(draft.key, now), now) for draft in states}
        return [draft for draft in states if draft.key in open_now or self._is_ripe(draft, now)]

    def _is_ripe(self, draft: Draft, now: datetime) -> bool:
        how = manner(draft.kind)
        lasted = now - self._since[draft.key]
        return lasted >= max(how.after, draft.after) and age(self.started, now) >= how.settle

    def _once(self, drafts: Sequence[Draft], now: datetime) -> list[Alarm]:
        known = Alarm.objects.filter(lasting=False, key__in=[draft.key for draft in drafts])
        keys = set(known.values_list("key", flat=True))
        fresh = {draft.key: draft for draft in drafts if draft.key not in keys}
        alarms = [_alarm(draft, draft.at, cleared_at=draft.at) for draft in fresh.values()]
        Alarm.objects.bulk_create(alarms)
        self._tell(alarms, About.BEGUN, now)
        return alarms

    def _meet(self, open_now: dict[str, Alarm], draft: Draft, now: datetime) -> list[Alarm]:
        """A state that is so: a new alarm, or another sight of an open one."""
        alarm = open_now.get(draft.key)
        if alarm is not None:
            self._see_again(alarm, draft, now)
            return []
        seen = Alarm.objects.filter(key=draft.key, lasting=True, last_seen_at__gte=draft.at)
        if seen.filter(last_seen_at__lte=latest(now)).exists():
            return []
        begun = self._since.get(draft.key, draft.at)
        alarm = _alarm(draft, begun, remind_at=now + manner(draft.kind).remind, holds_until=_holds(draft))
        alarm.save(force_insert=True)
        open_now[draft.key] = alarm
        self._tell([alarm], About.BEGUN, now)
        return [alarm]

    def _see_again(self, alarm: Alarm, draft: Draft, now: datetime) -> None:
        set_back = _is_ahead(alarm, now)
        if draft.at <= alarm.last_seen_at and not set_back:
            return
        changes: dict[str, Any] = {"last_seen_at": draft.at}
        held = None if set_back else alarm.holds_until
        changes["holds_until"] = max(_holds(draft), held or draft.at)
        worse = draft.severity.rank > Severity(alarm.severity).rank
        if worse or draft.until:
            changes |= {
                "severity": max(draft.severity, Severity(alarm.severity), key=_rank),
                "text": draft.text,
            }
        for name, value in changes.items():
            setattr(alarm, name, value)
        Alarm.objects.filter(pk=alarm.pk).update(times_seen=F("times_seen") + 1, **changes)
        if worse:
            self._tell([alarm], About.WORSE, now)

    def _remind(self, alarms: Iterable[Alarm], now: datetime) -> None:
        due = [alarm for alarm in alarms if _is_to_be_reminded_of(alarm, now) and not _is_over(alarm, now)]
        for alarm in due:
            Alarm.objects.filter(pk=alarm.pk).update(remind_at=now + manner(Kind(alarm.kind)).remind)
        self._tell(due, About.STILL, now)

    def _end(self, alarms: Iterable[Alarm], now: datetime) -> None:
        over = [alarm for alarm in alarms if _is_over(alarm, now)]
        for alarm in over:
            alarm.cleared_at = now
        Alarm.objects.bulk_update(over, ["cleared_at"])
        self._tell(over, About.OVER, now)

    def _tell(self, alarms: Sequence[Alarm], about: About, now: datetime) -> None:
        Telling.objects.bulk_create(
            Telling(alarm=alarm, channel=listener.name, about=about, created_at=now)
            for alarm in alarms
            for listener in self.listeners
            if Severity(alarm.severity).reaches(listener.least)
        )


def _alarm(draft: Draft, begun: datetime, **fields: Any) -> Alarm:
    links = draft.links
    return Alarm(
        key=draft.key,
        lasting=draft.lasting,
        kind=draft.kind,
        severity=draft.severity,
        subject=draft.subject[:120],
        text=draft.text,
        to_do=draft.to_do,
        account=draft.account,
        slot_id=links.slot_id,
        position_id=links.position_id,
        guard_id=links.guard_id,
        intent_id=links.intent_id,
        event_id=links.event_id,
        raised_at=begun,
        last_seen_at=draft.at,
        **fields,
    )


def _holds(draft: Draft) -> datetime:
    return max(draft.at + manner(draft.kind).hold, draft.until or draft.at)


def _is_over(alarm: Alarm, now: datetime) -> bool:
    return alarm.holds_until is not None and (alarm.holds_until <= now or _is_ahead(alarm, now))


def _is_to_be_reminded_of(alarm: Alarm, now: datetime) -> bool:
    if alarm.remind_at is None:
        return False
    return alarm.remind_at <= now or alarm.remind_at > latest(now, manner(Kind(alarm.kind)).remind)


def _is_ahead(alarm: Alarm, now: datetime) -> bool:
    """Last seen by a clock that has been set back since."""
    return alarm.last_seen_at > latest(now)


def _rank(severity: Severity) -> int:
    return severity.rank
