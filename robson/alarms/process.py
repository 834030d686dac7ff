"""The process that tells alarms, from start to SIGTERM.

Two threads: one works with the database, this one with the channels, each of which sends in a thread of its
own. So neither a channel nor a database that hangs keeps anything else from being told.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from robson.alarms.config import Config
from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity, manner
from robson.alarms.lines import Line, Outcome
from robson.alarms.messages import Message, message_of
from robson.alarms.models import Telling
from robson.alarms.rounds import Rounds

log = logging.getLogger(__name__)

TICK_S = 0.1
AWAY_S = 6.0
PING_S = 60.0
# A channel that has been failing for this long is reason enough to let the dead-man's switch go off.
DEAF_S = 300.0
LAST_WORDS_S = 5.0


@dataclass
class Away:
    """The database is: since when, and which channels have been told (and when, in monotonic seconds)."""

    since: datetime
    begun: float
    why: str
    told: dict[str, float] = field(default_factory=dict)

    def draft(self) -> Draft:
        return Draft(
            kind=Kind.DATABASE_AWAY,
            key="database",
            severity=Severity.CRITICAL,
            subject="database",
            text=f"The database does not answer: {self.why}",
            at=self.since,
            lasting=True,
        )

    def is_due(self, channel: str, now: float) -> bool:
        told = self.told.get(channel)
        return told is None or now - told >= manner(Kind.DATABASE_AWAY).remind.total_seconds()

    def message(self) -> Message:
        draft = self.draft()
        body = f"{draft.text}\nWhat to do: {draft.to_do}\nsince {self.since:%Y-%m-%d %H:%M:%S} UTC"
        return Message(f"Robson: CRITICAL {draft.kind}", body, draft.severity)


class Alarms:
    """Owns the channels; what is to be told comes from `Rounds`. Times are monotonic seconds."""

    def __init__(self, config: Config) -> None:
        self.lines = {channel.name: Line(channel) for channel in config.channels}
        self.rounds = Rounds(config, self._told_of_channels)
        self._ping = Line(config.ping) if config.ping else None
        self._pinged = float("-inf")
        self._asked: set[str] = set()
        self._held: dict[str, list[Telling]] = {}
        self._alone: set[str] = set()
        self._away: Away | None = None

    def run(self, is_over: Callable[[], bool]) -> None:
        """Work until it is over; then mark what is under way, and let go of what is not."""
        last = threading.Event()
        books = threading.Thread(target=self.rounds.run, args=(last,), name="alarm-books", daemon=True)
        books.start()
        log.info(
            "alarms are up: %s", ", ".join(line.channel.shown for line in self.lines.values()) or "no channel"
        )
        while not is_over():
            time.sleep(TICK_S)
            try:
                self.tick(time.monotonic())
            except Exception as error:  # what cannot be told now is taken up again after its lease
                log.critical("alarms met an error nobody expected, and go on", exc_info=error)
        self._finish()
        last.set()
        self.rounds.news.set()
        books.join(LAST_WORDS_S)
        log.info("alarms have stopped")

    def tick(self, now: float) -> None:
        """Everything that need not wait."""
        self._collect(now)
        while not self.rounds.batches.empty():
            name, tellings = self.rounds.batches.get()
            self._asked.discard(name)
            if tellings:
                self._held[name] = tellings
        self._watch_database(now)
        for name, line in self.lines.items():
            if line.is_free(now):
                self._serve(name, line, now)
        self._keep_pinging(now)

    def _collect(self, now: float) -> None:
        for name, line in self.lines.items():
            outcome = line.outcome(now)
            if outcome is None:
                continue
            if name in self._alone:
                self._alone.discard(name)
                if not outcome.error and self._away is not None:
                    self._away.told[name] = now
            else:
                self.rounds.outcomes.put(outcome)
                self.rounds.news.set()

    def _serve(self, name: str, line: Line, now: float) -> None:
        if self._away is not None and self._is_away(now) and self._away.is_due(name, now):
            self._alone.add(name)
            line.give(self._away.message(), (), now)
        elif name in self._held:
            tellings = self._held.pop(name)
            line.give(message_of(tellings), tellings, now)
        elif name not in self._asked:
            self._asked.add(name)
            self.rounds.ask(name)

    def _is_away(self, now: float) -> bool:
        return now - self.rounds.ok_at > AWAY_S

    def _watch_database(self, now: float) -> None:
        """What cannot be written down is told from memory, and written down once it can be."""
        if self._is_away(now):
            if self._away is None:
                why = self.rounds.error or "it hangs"
                log.critical("the database does not answer: %s", why)
                self._away = Away(timezone.now(), now, why)
        elif self._away is not None and not self._alone:
            log.warning("the database answers again")
            self.rounds.told_alone.put((self._away.draft(), frozenset(self._away.told)))
            self._away = None

    def _keep_pinging(self, now: float) -> None:
        """While all is well, and somebody would hear it if it were not."""
        if self._ping is None:
            return
        outcome = self._ping.outcome(now)
        if outcome is not None and not outcome.error:
            self._pinged = now
        if now - self._pinged >= PING_S and self._ping.is_free(now) and self._all_is_well(now):
            self._ping.give(Message("", "", Severity.INFO), (), now)

    def _all_is_well(self, now: float) -> bool:
        deaf = any(
            line.failing_since is not None and now - line.failing_since > DEAF_S
            for line in self.lines.values()
        )
        return self.rounds.well and not self._is_away(now) and not deaf

    def _finish(self) -> None:
        deadline = time.monotonic() + LAST_WORDS_S
        while any(line.is_busy for line in self.lines.values()) and time.monotonic() < deadline:
            time.sleep(TICK_S)
            self._collect(time.monotonic())
        for tellings in self._held.values():
            self.rounds.outcomes.put(Outcome(tellings, sent=False))

    def _told_of_channels(self) -> list[dict[str, Any]]:
        """How the channels are doing, for the heartbeat. Called by the other thread."""
        now = time.monotonic()
        return [asdict(_doing(name, line, now)) for name, line in self.lines.items()]


@dataclass(frozen=True, slots=True)
class Doing:
    """A channel, as others are told of it. `failing_s`: how long it has been failing, None if it is not."""

    name: str
    shown: str
    least: str
    failing_s: float | None
    error: str


def _doing(name: str, line: Line, now: float) -> Doing:
    since = line.failing_since
    failing_s = None if since is None else round(now - since, 1)
    return Doing(name, line.channel.shown, line.channel.least, failing_s, line.error)
