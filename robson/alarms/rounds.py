"""What the alarms do with the database, again and again, in one thread with one connection of its own."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from robson import health
from robson.alarms import digest, outbox
from robson.alarms.book import Book
from robson.alarms.config import Config
from robson.alarms.draft import Draft
from robson.alarms.facts import alarm_of
from robson.alarms.kinds import Kind, Severity
from robson.alarms.lines import Outcome
from robson.alarms.looking import look
from robson.alarms.models import Telling
from robson.alarms.states import alarms_in
from robson.alarms.tail import Tail
from trading.models import Heartbeat

log = logging.getLogger(__name__)

LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.CRITICAL,
}
ROUND_S = 1.0
LOOK_S = 2.0
HEALTH_S = 10.0
# An answer that comes later is as good as none: the owner is to hear of it.
STATEMENT_TIMEOUT = "4s"
TCP_TIMEOUT_MS = 4_000

Told = dict[str, Any]


@dataclass
class Rounds:
    """Shared by two threads. The other one asks for the messages of a channel with `ask`, and finds them in
    `batches`; it puts what became of messages into `outcomes`, and what it told by itself into `told_alone`.
    `news` begins the next round at once.

    `ok_at` is when a round was last done (monotonic s), `error` why the last one was not. `well` is whether
    everything that must work works, as of `well_at`.
    """

    config: Config
    channels_now: Callable[[], list[Told]]
    outcomes: "queue.SimpleQueue[Outcome]" = field(default_factory=queue.SimpleQueue)
    batches: "queue.SimpleQueue[tuple[str, list[Telling]]]" = field(default_factory=queue.SimpleQueue)
    told_alone: "queue.SimpleQueue[tuple[Draft, frozenset[str]]]" = field(default_factory=queue.SimpleQueue)
    news: threading.Event = field(default_factory=threading.Event)
    ok_at: float = field(default_factory=time.monotonic)
    error: str = ""
    well: bool = False
    well_at: float = 0.0
    _asked: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tail: Tail | None = None
    _looked_at: float = 0.0
    _digested: date | None = None
    _unmarked: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._book = Book(self.config.channels, timezone.now())

    def ask(self, channel: str) -> None:
        """The channel is free: what waits for it is wanted."""
        with self._lock:
            self._asked.add(channel)

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop`, and a last one to mark what has been told. Whatever goes wrong, on it goes."""
        _be_impatient()
        while True:
            last = stop.is_set()
            self._try()
            if last:
                break
            self.news.wait(ROUND_S)
            self.news.clear()
        connection.close()

    def _try(self) -> None:
        try:
            self.round(timezone.now(), time.monotonic())
        except DatabaseError as error:
            self._failed(error)
        except Exception as error:  # the alarms must not end: the next round may do better
            log.critical("a round of the alarms ended by an error nobody expected", exc_info=error)
            self._failed(error)
        else:
            self.ok_at, self.error = time.monotonic(), ""

    def _failed(self, error: Exception) -> None:
        self.error = (str(error).strip() or type(error).__name__).splitlines()[0]
        if self._tail is not None:
            self._tail.forget()
        connection.close()

    def round(self, now: datetime, tick: float) -> None:
        """Mark, read, judge, write, hand over. Raises DatabaseError."""
        self._mark(now)
        if self._tail is None:
            self._tail = self._begin()
        happened = [draft for fact in self._tail.read(tick) if (draft := alarm_of(fact)) is not None]
        happened += self._digest(now)
        states = None
        if tick - self._looked_at >= LOOK_S:
            states = alarms_in(look(now))
        for alarm in self._book.write(happened, states, now):
            log.log(LEVELS[Severity(alarm.severity)], "alarm %s: %s: %s", alarm.pk, alarm, alarm.text)
        if any(draft.kind is Kind.DIGEST for draft in happened):
            self._digested = now.date()
        if states is not None:
            self._looked_at = tick
            self._beat(now, self._tail.floor)
        self._judge_health(now, tick)
        self._hand_over(now)

    def _begin(self) -> Tail:
        gone = outbox.give_up([channel.name for channel in self.config.channels])
        if gone:
            log.warning("%s messages were for channels that are not configured any more", gone)
        return Tail(_saved_floor())

    def _mark(self, now: datetime) -> None:
        while not self.outcomes.empty():
            self._unmarked.append(self.outcomes.get())
        while self._unmarked:
            outcome = self._unmarked[0]
            if not outcome.sent:
                outbox.give_back(outcome.tellings)
            elif outcome.error:
                outbox.failed(outcome.tellings, outcome.error)
            else:
                outbox.told(outcome.tellings, now)
            self._unmarked.pop(0)
        while not self.told_alone.empty():
            draft, channels = self.told_alone.get()
            self._book.note_told(draft, channels, now)

    def _digest(self, now: datetime) -> Sequence[Draft]:
        at = self.config.digest_at
        if at is None or self._digested == now.date() or not digest.is_due(at, now):
            return ()
        return (digest.draft(now),)

    def _judge_health(self, now: datetime, tick: float) -> None:
        if self.config.ping is not None and tick - self.well_at >= HEALTH_S:
            self.well, self.well_at = all(part.ready for part in health.parts(now)), tick

    def _beat(self, now: datetime, floor: int) -> None:
        data = {"floor": floor, "channels": self.channels_now()}
        Heartbeat.objects.update_or_create(name=health.ALARMS, defaults={"at": now, "data": data})

    def _hand_over(self, now: datetime) -> None:
        with self._lock:
            asked, self._asked = self._asked, set()
        for channel in sorted(asked):
            found: list[Telling] = []
            try:
                found = outbox.take(channel, now)
            finally:
                self.batches.put((channel, found))


def _saved_floor() -> int | None:
    beat = Heartbeat.objects.filter(name=health.ALARMS).first()
    return beat.data.get("floor") if beat else None


def _be_impatient() -> None:
    """Of this thread's connection only."""
    options = dict(connection.settings_dict["OPTIONS"])
    options["options"] = f"{options.get('options', '')} -c statement_timeout={STATEMENT_TIMEOUT}"
    options["tcp_user_timeout"] = TCP_TIMEOUT_MS
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
