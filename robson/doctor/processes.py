"""The processes: workers and what waits for them, beat, consumer and polls."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from robson import health
from robson.celery import QUEUES, app
from robson.doctor.findings import Check, Finding, failed, graded, ok, warning
from robson.doctor.stores import client
from robson.health import Part
from trading.domain.clocks import latest

ANSWER_WITHIN_S = 2.0
# A worker that is there takes an exit within milliseconds, and housekeeping within seconds.
MOST_WAITING = {"exits": 5}
USUALLY_WAITING = 50
# Beat writes down what it has sent every three minutes only.
BEAT_NOTES_EVERY = timedelta(minutes=3)
SCHEDULED = (
    "safetynet.poll_all",
    "trading.sweep",
    "trading.reconcile",
    "trading.prune_events",
    "robson.prune_alarms",
)
# Parts of /readyz with checks of their own, which say more.
SAID_ELSEWHERE = {"database", "broker"}
START = "Start it: `make run` starts everything on this machine, docker-compose its service."


def queues() -> list[Finding]:
    """Each queue has a worker that answers, and not much waiting in it."""
    answers = app.control.inspect(timeout=ANSWER_WITHIN_S).active_queues() or {}
    workers = {
        queue: [name for name, served in answers.items() if _serves(served, queue)] for queue in QUEUES
    }
    return [_worker(queue, found) for queue, found in workers.items()]


def _serves(served: Iterable[Mapping[str, object]], queue: str) -> bool:
    return any(one["name"] == queue for one in served)


def _worker(queue: str, found: list[str]) -> Finding:
    name = f"worker:{queue}"
    if not found:
        return failed(name, f"nobody answers within {ANSWER_WITHIN_S:.0f} s", START)
    return ok(name, ", ".join(found))


def waiting() -> list[Finding]:
    with closing(client()) as redis:
        return [_waiting(queue, int(redis.llen(queue))) for queue in QUEUES]


def _waiting(queue: str, tasks: int) -> Finding:
    advice = "See why its worker does not keep up: its log, and whether the exchange answers."
    most = MOST_WAITING.get(queue, USUALLY_WAITING)
    return graded(f"queue:{queue}", tasks, f"{tasks} tasks wait", advice, warn_above=most)


def beat() -> list[Finding]:
    """Each periodic task is in the schedule, switched on, and was sent not long ago."""
    rows = list(PeriodicTask.objects.filter(enabled=True).select_related("interval"))
    off = [task for task in SCHEDULED if task not in {row.task for row in rows}]
    if off:
        advice = "Switch them on under Periodic tasks in the admin; `manage.py migrate` makes missing ones."
        return [failed("schedule", f"{', '.join(off)} switched off or missing", advice)]
    return [ok("schedule", f"{len(rows)} tasks are switched on"), _sent(rows, timezone.now())]


def _sent(rows: list[PeriodicTask], now: datetime) -> Finding:
    sent = {row.name: row.last_run_at for row in rows}
    never = [name for name, at in sent.items() if at is None]
    if len(never) == len(rows):
        advice = (
            "Look again in three minutes, when beat has noted its first round; if it stays so, start beat."
        )
        return warning("beat", "has noted nothing yet", advice)
    ahead = [name for name, at in sent.items() if at is not None and at > latest(now)]
    if ahead:
        advice = (
            "Look again in four minutes, when beat has noted what runs often; if it stays so, start beat."
        )
        return warning("beat", f"noted {', '.join(ahead)} ahead of now: the clock was set back", advice)
    late = [row.name for row in rows if _is_late(row, now)]
    if late:
        return failed("beat", f"has not sent {', '.join(late)} for too long", START)
    newest = max(at for at in sent.values() if at is not None)
    return ok("beat", f"noted {(now - newest) / timedelta(seconds=1):.0f} s ago what it has sent")


def _is_late(row: PeriodicTask, now: datetime) -> bool:
    if row.last_run_at is None or row.interval is None:
        return False
    every: timedelta = row.interval.schedule.run_every
    return bool(now - row.last_run_at > 3 * every + 2 * BEAT_NOTES_EVERY)


def consumer_and_polls() -> list[Finding]:
    """As /readyz judges them. Raises DatabaseError, for then nothing is known of them."""
    connection.ensure_connection()
    return [_part(part) for part in health.parts(timezone.now()) if part.name not in SAID_ELSEWHERE]


def _part(part: Part) -> Finding:
    if part.ready:
        return ok(part.name, part.detail)
    if part.name.startswith("feed"):
        # Stops do not depend on it alone.
        advice = "See the consumer's log; it asks for another connection itself and goes by REST meanwhile."
        return warning(part.name, part.detail, advice)
    return failed(part.name, part.detail, START)


CHECKS = (
    Check("queues", waiting, needs=("redis",)),
    Check("workers", queues, needs=("redis",)),
    Check("beat", beat, needs=("database", "migrations")),
    Check("consumer", consumer_and_polls, needs=("database", "migrations")),
)
