"""Beat sends what is due, whatever the machine thought the time was before."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from celery.beat import SchedulingError
from django.db.models import F
from django.utils import timezone
from django_celery_beat import schedulers
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler
from kombu.utils.imports import symbol_by_name

from robson import beat
from robson.beat import Entry, Scheduler
from robson.celery import app
from robson.schedule import PROTECTIVE
from tests.trading.world import until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("schedule")]

HOUR = timedelta(hours=1)
POLL = "safetynet.poll_all"


def poll(last_run_at: datetime) -> PeriodicTask:
    task = PeriodicTask.objects.get(task=POLL)
    task.last_run_at = last_run_at
    task.save()
    return task


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that beat would have sent. It goes on with this test's connection to the database."""
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    names: list[str] = []
    monkeypatch.setattr(Scheduler, "apply_entry", lambda _self, entry, **_: names.append(entry.task))
    return names


@pytest.fixture
def scheduler(sent: list[str]) -> Iterator[Scheduler]:
    one = Scheduler(app=app, lazy=True)
    yield one
    # Else it saves what it has sent when this process ends.
    one._finalize.cancel()


def test_beat_is_started_with_this_schedule() -> None:
    assert symbol_by_name(app.conf.beat_scheduler) is Scheduler
    assert Scheduler.Entry is Entry


@pytest.mark.parametrize("ahead", [timedelta(minutes=1), HOUR])
def test_a_task_that_was_sent_in_the_future_is_due_after_an_interval(ahead: timedelta) -> None:
    due, again_s = Entry(poll(timezone.now() + ahead), app=app).is_due()
    assert not due
    assert again_s == pytest.approx(20, abs=1)


@pytest.mark.parametrize(("ago_s", "is_due"), [(5, False), (25, True)])
def test_a_task_that_was_sent_a_while_ago_is_due_as_ever(ago_s: float, is_due: bool) -> None:
    due, _ = Entry(poll(timezone.now() - timedelta(seconds=ago_s)), app=app).is_due()
    assert due is is_due


def test_beat_goes_on_when_the_clock_is_set_back_under_it(scheduler: Scheduler) -> None:
    """Each task waits for a time by the clock, and all of these are an hour away now."""
    poll(timezone.now())
    work_off(scheduler)
    set_back(scheduler, HOUR)
    work_off(scheduler)
    assert scheduler._heap
    waits_s = [event.time - time.time() for event in scheduler._heap if event.entry.task in PROTECTIVE]
    assert len(waits_s) == 3
    assert max(waits_s) < 61
    assert scheduler.tick() <= 5


def test_beat_keeps_its_schedule_while_the_clock_goes_on(scheduler: Scheduler) -> None:
    work_off(scheduler)
    heap = scheduler._heap
    work_off(scheduler)
    assert scheduler._heap is heap


def test_what_was_sent_before_is_noted_anew(scheduler: Scheduler) -> None:
    """What the admin and the doctor read is right again once it has been sent."""
    task = poll(timezone.now() + HOUR)
    entry = scheduler.schedule[task.name]
    entry.is_due()
    scheduler.schedule[task.name] = scheduler.reserve(entry)
    scheduler.sync()
    task.refresh_from_db()
    assert task.last_run_at <= timezone.now()


def test_what_could_not_be_sent_is_sent_again_within_seconds(
    monkeypatch: pytest.MonkeyPatch, scheduler: Scheduler
) -> None:
    """Else a broker that is away for a second, just when a poll is due, costs the whole interval."""
    monkeypatch.undo()
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)
    monkeypatch.setattr(beat, "AGAIN_S", 0.01)
    tried: list[str] = []

    def send(_: Scheduler, entry: Entry, **__: object) -> None:
        tried.append(entry.task)
        if tried.count(POLL) <= 2:
            raise SchedulingError("nobody listens")

    monkeypatch.setattr(DatabaseScheduler, "apply_async", send)
    poll(timezone.now() - timedelta(seconds=25))
    until(lambda: scheduler.tick() and tried.count(POLL) == 3, within_s=5)
    tried.clear()
    work_off(scheduler)
    assert POLL not in tried, "it was sent"


def test_what_is_switched_off_meanwhile_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch, scheduler: Scheduler
) -> None:
    work_off(scheduler)
    scheduler._unsent["a task that is gone"] = 0
    assert scheduler.tick() > 0
    assert scheduler._unsent == {}


def work_off(scheduler: Scheduler) -> None:
    """Send what is due; beat sends one task a tick."""
    for _ in range(20):
        if scheduler.tick() > 0:
            return
    pytest.fail("there is always something due")


def set_back(scheduler: Scheduler, by: timedelta) -> None:
    """What the scheduler knows is as if the clock had been so far ahead until now."""
    assert scheduler._seen_at is not None
    assert scheduler._heap
    scheduler._seen_at += by
    scheduler._heap = [event._replace(time=event.time + by.total_seconds()) for event in scheduler._heap]
    PeriodicTask.objects.update(last_run_at=F("last_run_at") + by)
    for entry in scheduler._schedule.values():
        entry.last_run_at = entry.model.last_run_at = entry.last_run_at + by
