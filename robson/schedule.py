"""What the periodic tasks that guard money may be changed to: how often they run, within bounds."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from trading import journal
from trading.domain.events import EventKind
from trading.explain import NotPossible


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between how many seconds, and why: the rest of the system counts on it."""

    least_s: int
    most_s: int
    why: str


PROTECTIVE: Mapping[str, Bounds] = {
    "safetynet.poll_all": Bounds(
        5, 20, "after 40 s without a poll the consumer polls, after 60 s alarms go off"
    ),
    "trading.sweep": Bounds(1, 5, "orders that nobody has in hand for 5 s are executed elsewhere"),
    "trading.reconcile": Bounds(20, 120, "a position that has gone is looked at twice before it is believed"),
}
"""These guard money: they are never switched off or deleted here."""


def set_interval(*, task: PeriodicTask, every_s: int, reason: str, by: str) -> None:
    """Run one of the protective tasks every `every_s` seconds. Raises NotPossible outside of its bounds."""
    bounds = PROTECTIVE.get(task.task)
    if bounds is None:
        raise NotPossible(f"{task.name}: only the tasks that guard money have an interval to choose")
    if not bounds.least_s <= every_s <= bounds.most_s:
        raise NotPossible(
            f"{task.name}: {every_s} s is not between {bounds.least_s} and {bounds.most_s} s; {bounds.why}"
        )
    with transaction.atomic():
        before = str(task.interval)
        # A row of its own for each interval: to change the row would change every task that shares it.
        task.interval = IntervalSchedule.objects.get_or_create(
            every=every_s, period=IntervalSchedule.SECONDS
        )[0]
        if task.expire_seconds is not None and task.task == "safetynet.poll_all":
            # A poll that could not run before the next one is due has no point.
            task.expire_seconds = every_s
        task.save()
        _announce(task, reason, by, interval=f"{before} to {task.interval}")


def switch(*, task: PeriodicTask, enabled: bool, reason: str, by: str) -> None:
    """Switch a task on or off. Raises NotPossible for one that guards money, or if it is so already."""
    if task.task in PROTECTIVE and not enabled:
        raise NotPossible(f"{task.name} guards money: it is not switched off here")
    if task.enabled == enabled:
        raise NotPossible(f"{task.name} is switched {'on' if enabled else 'off'} already")
    with transaction.atomic():
        task.enabled = enabled
        task.save()
        _announce(task, reason, by, enabled=enabled)


def _announce(task: PeriodicTask, reason: str, by: str, **change: object) -> None:
    about = {"task": task.name, "reason": reason, "by": by, **change}
    journal.append(EventKind.SCHEDULE_CHANGED, None, at=timezone.now(), **about)
