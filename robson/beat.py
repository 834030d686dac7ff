"""Beat's schedule: as it is in the database, and not put off by a clock that was set back."""

import logging
from datetime import datetime
from typing import Any

from celery.schedules import schedstate
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from trading.domain.clocks import latest

log = logging.getLogger(__name__)


class Entry(ModelEntry):  # type: ignore[misc]  # the package is untyped
    """A periodic task. One that was sent at a time that nobody can have noted yet counts as sent just now."""

    last_run_at: datetime

    def is_due(self) -> schedstate:
        now = timezone.now()
        if self.last_run_at > latest(now):
            self.last_run_at = now
        due: schedstate = super().is_due()
        return due


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # as above
    """Keeps the times at which tasks are due, by the machine's clock: set back, they are reckoned anew."""

    Entry = Entry
    _heap: list[Any] | None
    _seen_at: datetime | None = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due. Returns how long to sleep, in seconds."""
        now = timezone.now()
        if self._seen_at is not None and self._seen_at > latest(now):
            log.warning("the clock was set back from %s: the schedule is reckoned anew", self._seen_at)
            self._begin_anew()
        self._seen_at = now
        return float(super().tick(*args, **kwargs))

    def _begin_anew(self) -> None:
        self._heap, self._initial_read = None, True
