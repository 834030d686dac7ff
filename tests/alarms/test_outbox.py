"""What waits for a channel is taken by one process at a time, and marked when it has gone through."""

from datetime import UTC, datetime, timedelta

import pytest

from robson.alarms import outbox
from robson.alarms.book import Book
from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm, Telling
from tests.alarms.test_book import Listener

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def _two_alarms_for_two_channels() -> None:
    drafts = [Draft(Kind.DUST, f"event:{n}", Severity.INFO, "BTCUSDT Long", "dust", NOON) for n in (1, 2)]
    Book([Listener("phone"), Listener("mail")], NOON).write(drafts, None, NOON)


def test_what_one_has_taken_another_does_not_get() -> None:
    assert len(outbox.take("phone", NOON)) == 2
    assert outbox.take("phone", NOON) == []
    assert len(outbox.take("mail", NOON)) == 2


def test_what_went_through_is_never_taken_again_and_the_alarm_says_when() -> None:
    outbox.told(outbox.take("phone", NOON), later(1))
    assert outbox.take("phone", later(3600)) == []
    outbox.told(outbox.take("mail", NOON), later(2))
    assert set(Alarm.objects.values_list("told_at", flat=True)) == {later(1)}


def test_what_failed_waits_again_with_the_reason() -> None:
    outbox.failed(outbox.take("phone", NOON), "HTTP 500")
    assert set(Telling.objects.filter(channel="phone").values_list("failures", "last_error")) == {
        (1, "HTTP 500")
    }
    assert len(outbox.take("phone", NOON)) == 2
    assert not Alarm.objects.exclude(told_at=None).exists()


def test_what_a_dead_process_had_taken_is_free_after_its_lease() -> None:
    outbox.take("phone", NOON)
    assert outbox.take("phone", later(outbox.LEASE.total_seconds() - 1)) == []
    assert len(outbox.take("phone", later(outbox.LEASE.total_seconds()))) == 2


def test_what_was_taken_and_not_sent_is_free_at_once() -> None:
    outbox.give_back(outbox.take("phone", NOON))
    assert outbox.waiting(["phone", "mail"]) == {"phone": 2, "mail": 2}
    assert len(outbox.take("phone", NOON)) == 2


def test_what_waits_for_a_channel_that_is_gone_is_given_up() -> None:
    assert outbox.give_up(["mail"]) == 2
    assert outbox.waiting(["phone", "mail"]) == {"phone": 0, "mail": 2}


def test_what_was_taken_before_the_clock_was_set_back_is_free() -> None:
    outbox.take("phone", later(3600))
    assert len(outbox.take("phone", NOON)) == 2
    assert outbox.take("phone", NOON) == []
