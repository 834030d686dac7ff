"""Alarms of long ago are of no use to anybody: the events that they were made of are kept longer."""

from datetime import datetime

from robson.alarms.models import Alarm


def prune(*, before: datetime) -> int:
    """Delete alarms that were over before then, with who was told of them. How many alarms there were."""
    old = Alarm.objects.filter(cleared_at__lt=before)
    return old.delete()[1].get(Alarm._meta.label, 0)
