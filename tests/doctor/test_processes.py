"""What the doctor says about workers, queues, beat, consumer and polls."""

from datetime import timedelta

import pytest
import redis
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from robson.doctor import processes
from robson.local import commands
from safetynet.models import PollState
from tests import factories
from tests.doctor.support import FAILED, OK, WARNING, bad, verdicts
from tests.live import LiveProcesses
from trading.models import Heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("schedule")]


def sent(**ago: float) -> None:
    """When each task was last sent, in seconds; the poll and all others."""
    now = timezone.now()
    for row in PeriodicTask.objects.all():
        row.last_run_at = now - timedelta(
            seconds=ago["poll" if row.task == "safetynet.poll_all" else "others"]
        )
        row.save()


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_queue_is_served_by_a_worker_that_answers(live_process: LiveProcesses) -> None:
    live_process.start(commands.worker("exits", concurrency=1))
    assert verdicts(processes.queues) == {
        "worker:exits": OK,
        "worker:safetynet": FAILED,
        "worker:default": FAILED,
    }


def test_tasks_that_pile_up_are_told(redis_client: redis.Redis) -> None:
    redis_client.lpush("exits", *range(5))
    redis_client.lpush("default", *range(50))
    assert set(verdicts(processes.waiting).values()) == {OK}
    redis_client.lpush("exits", 6)
    found = bad(processes.waiting)
    assert (found.name, found.verdict, found.detail) == ("queue:exits", WARNING, "6 tasks wait")


def test_a_schedule_that_beat_works_off() -> None:
    sent(poll=100, others=100)
    assert verdicts(processes.beat) == {"schedule": OK, "beat": OK}


def test_a_task_that_is_switched_off_is_a_failure() -> None:
    PeriodicTask.objects.filter(task="safetynet.poll_all").update(enabled=False)
    found = bad(processes.beat)
    assert (found.verdict, "safetynet.poll_all" in found.detail) == (FAILED, True)


def test_a_beat_that_has_sent_nothing_for_long_is_a_failure() -> None:
    sent(poll=600, others=100)
    found = bad(processes.beat)
    assert (found.name, found.verdict, "Safety Net: poll" in found.detail) == ("beat", FAILED, True)


def test_a_beat_that_has_noted_nothing_yet_is_a_warning() -> None:
    assert bad(processes.beat).verdict == WARNING


def test_consumer_and_poll_that_work() -> None:
    factories.everything_works()
    assert verdicts(processes.consumer_and_polls) == {"consumer": OK, "feed": OK, "poll:main": OK}


def test_a_poll_that_is_late_is_a_failure() -> None:
    factories.everything_works()
    PollState.objects.update(last_success_at=timezone.now() - timedelta(seconds=90))
    found = bad(processes.consumer_and_polls)
    assert (found.name, found.verdict) == ("poll:main", FAILED)


def test_a_silent_stream_that_a_stop_depends_on_is_a_warning() -> None:
    factories.everything_works(prices={"BTCUSDT": "60000"})
    factories.core_position("BTCUSDT")
    beat = Heartbeat.objects.get()
    beat.data["stale"] = ["BTCUSDT"]
    beat.save()
    found = bad(processes.consumer_and_polls)
    assert (found.name, found.verdict) == ("feed:BTCUSDT", WARNING)


def test_what_beat_has_noted_before_the_clock_was_set_back_is_a_warning() -> None:
    sent(poll=-3600, others=100)
    found = bad(processes.beat)
    assert (found.verdict, "Safety Net: poll ahead of now" in found.detail) == (WARNING, True)


def test_heartbeat_and_poll_from_before_the_clock_was_set_back_are_failures() -> None:
    factories.everything_works(at=timezone.now() + timedelta(hours=1))
    found = verdicts(processes.consumer_and_polls)
    assert found == {"consumer": FAILED, "feed": OK, "poll:main": FAILED}
