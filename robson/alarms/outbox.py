"""What is still to be told, by channel. Taken before it is sent, marked when it has been: told once.

Only a process that dies between the two leaves a message that is told again, once its lease has run out:
twice is better than never.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from robson.alarms.models import Alarm, Telling
from trading.domain.clocks import latest

# Longer than any channel is given for a message.
LEASE = timedelta(seconds=60)
MOST_AT_ONCE = 500


def take(channel: str, now: datetime) -> list[Telling]:
    """Everything that waits for this channel and that nobody else is sending, oldest first."""
    free = Q(taken_until=None) | Q(taken_until__lte=now) | Q(taken_until__gt=latest(now, LEASE))
    with transaction.atomic():
        waiting = Telling.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            free, channel=channel, told_at=None
        )
        found = list(waiting.select_related("alarm").order_by("id")[:MOST_AT_ONCE])
        _these(found).update(taken_until=now + LEASE)
    return found


def told(tellings: Sequence[Telling], at: datetime) -> None:
    """They went through."""
    with transaction.atomic():
        _these(tellings).update(told_at=at, taken_until=None)
        Alarm.objects.filter(pk__in={one.alarm_id for one in tellings}, told_at=None).update(told_at=at)


def failed(tellings: Sequence[Telling], error: str) -> None:
    """They did not go through: they wait again."""
    _these(tellings).update(taken_until=None, failures=F("failures") + 1, last_error=error[:255])


def give_back(tellings: Sequence[Telling]) -> None:
    """They were taken and not sent."""
    _these(tellings).update(taken_until=None)


def waiting(channels: Collection[str]) -> dict[str, int]:
    """How many messages wait for each of these channels."""
    names = Telling.objects.filter(told_at=None, channel__in=channels).values_list("channel", flat=True)
    counted = dict.fromkeys(channels, 0)
    for name in names:
        counted[name] += 1
    return counted


def give_up(channels: Collection[str]) -> int:
    """Messages for channels that are not configured any more: nobody can send them. How many there were."""
    return Telling.objects.filter(told_at=None).exclude(channel__in=channels).delete()[0]


def _these(tellings: Sequence[Telling]) -> QuerySet[Telling]:
    return Telling.objects.filter(pk__in=[one.pk for one in tellings])
