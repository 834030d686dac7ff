"""Beat's schedule: as it is in the database, and put off neither by a clock that was set back nor by a broker
that was away for a moment.
"""

import logging
import time
from datetime import datetime
from typing import Any

from celery.beat import SchedulingError
from celery.schedules import schedstate
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from trading.domain.clocks import latest

log = logging.getLogger(__name__)

AGAIN_S = 1.0


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
    """Keeps the times at which tasks are due, by the machine's clock: set back, they are reckoned anew.

    What could not be sent is sent again within seconds: a broker that is away for a moment, just when a poll
    is due, must not cost a whole interval.
    """

    Entry = Entry
    _heap: list[Any] | None
    _seen_at: datetime | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._unsent: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def apply_async(self, entry: ModelEntry, *args: Any, **kwargs: Any) -> Any:
        """Send one task. Raises SchedulingError, and sends it again after AGAIN_S."""
        self._unsent.pop(entry.name, None)
        try:
            return super().apply_async(entry, *args, **kwargs)
        except SchedulingError:
            self._unsent[entry.name] = time.monotonic() + AGAIN_S
            raise

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due. Returns how long to sleep, in seconds."""
        self._send_again()
        now = timezone.now()
        if self._seen_at is not None and self._seen_at > latest(now):
            log.warning("the clock was set back from %s: the schedule is reckoned anew", self._seen_at)
            self._begin_anew()
        self._seen_at = now
        sleep_s = float(super().tick(*args, **kwargs))
        return min(sleep_s, AGAIN_S) if self._unsent else sleep_s

    def _send_again(self) -> None:
        """One at a time: while the broker is away, one error a second tells enough."""
        for name, due in list(self._unsent.items()):
            if due > time.monotonic():
                return
            entry = self.schedule.get(name)
            if entry is None:
                del self._unsent[name]
                continue
            self.apply_entry(entry, producer=self.producer)
            if name in self._unsent:
                return

    def _begin_anew(self) -> None:
        self._heap, self._initial_read = None, True
