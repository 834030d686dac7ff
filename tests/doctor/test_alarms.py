"""What the doctor says about alarms: who would hear them, and which are open."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from robson import health
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm
from robson.doctor import alarms
from tests.doctor.support import FAILED, OK, WARNING, bad, verdicts
from trading.models import Heartbeat

pytestmark = pytest.mark.django_db


def raised(severity: Severity, **fields: Any) -> Alarm:
    now = timezone.now()
    values = {"raised_at": now, "last_seen_at": now, "key": str(severity), "lasting": True, **fields}
    return Alarm.objects.create(
        kind=Kind.POLL_LATE,
        severity=severity,
        subject="main",
        text="no poll for 90 s",
        to_do="Poll.",
        **values,
    )


def test_without_a_channel_nobody_hears_of_trouble(settings: Settings) -> None:
    settings.ALARM_URLS = ""
    found = bad(alarms.channels)
    assert (found.verdict, "ROBSON_ALARM_URLS" in found.advice) == (WARNING, True)


def test_a_channel_is_named_without_its_secrets(settings: Settings) -> None:
    settings.ALARM_URLS = "json://anna:secret@127.0.0.1:9/hook"
    assert verdicts(alarms.channels) == {"channels": OK}
    assert "secret" not in alarms.channels()[0].detail


def test_a_channel_that_cannot_be_understood_is_a_failure(settings: Settings) -> None:
    settings.ALARM_URLS = "no-such-service://anna"
    assert bad(alarms.channels).verdict == FAILED


def test_alarms_that_nobody_tells_are_a_failure() -> None:
    assert bad(alarms.process).verdict == FAILED
    Heartbeat.objects.create(name=health.ALARMS, at=timezone.now())
    assert verdicts(alarms.process) == {"alarms": OK}
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5))
    assert bad(alarms.process).verdict == FAILED


@pytest.mark.parametrize(("severity", "verdict"), [(Severity.CRITICAL, FAILED), (Severity.WARNING, WARNING)])
def test_an_open_alarm_is_told_with_what_to_do(severity: Severity, verdict: str) -> None:
    raised(severity)
    found = bad(alarms.open_alarms)
    assert (found.verdict, found.advice) == (verdict, "Poll.")
    assert "no poll for 90 s" in found.detail


def test_what_is_over_is_not_told() -> None:
    raised(Severity.CRITICAL, cleared_at=timezone.now())
    assert verdicts(alarms.open_alarms) == {"open alarms": OK}
