"""Alarms: what the owner must hear of, told through the channels of his choice by a process of its own.

Nothing on the way from a price to an order calls this package, waits for it or shares a connection with it:
it reads what the others have written.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robson.alarms.models import Alarm


KEEP_DAYS = 90


def recent(limit: int) -> "list[Alarm]":
    """At most `limit` alarms: those that are not over first, the newest of each kind first. Two queries."""
    from robson.alarms.models import Alarm

    lasting = Alarm.objects.filter(lasting=True, cleared_at__isnull=True).order_by("-raised_at", "-id")
    found = list(lasting[:limit])
    if len(found) < limit:
        others = Alarm.objects.filter(cleared_at__isnull=False).order_by("-raised_at", "-id")
        found += others[: limit - len(found)]
    return found
