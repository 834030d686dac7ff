"""An alarm is told when it begins, when it gets worse, now and then while it lasts, and when it is over."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from robson import alarms
from robson.alarms import pruning
from robson.alarms.book import Book
from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity, manner
from robson.alarms.models import Alarm, Telling

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Listener:
    name: str
    least: Severity = Severity.INFO


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def book(*listeners: Listener) -> Book:
    return Book(listeners or (Listener("phone"),), after(-60))


def state(at: datetime, *, kind: Kind = Kind.EXIT_FAILING, severity: Severity = Severity.WARNING) -> Draft:
    return Draft(kind, "exit:9", severity, "BTCUSDT Long", "it fails", at, lasting=True)


def event(number: int = 1, severity: Severity = Severity.INFO) -> Draft:
    return Draft(Kind.DUST, f"event:{number}", severity, "BTCUSDT Long", "dust", NOON)


def told() -> list[tuple[str, str]]:
    return list(Telling.objects.order_by("id").values_list("channel", "about"))


def test_what_happened_is_told_once_however_often_it_is_read() -> None:
    for _ in range(2):
        book().write([event()], None, NOON)
    assert told() == [("phone", "begun")]
    assert not Alarm.objects.get().is_open


def test_a_state_is_told_when_it_begins_and_when_it_is_over() -> None:
    one = book()
    for second in range(0, 6, 2):
        one.write([], [state(after(second))], after(second))
    assert told() == [("phone", "begun")]
    assert Alarm.objects.get().times_seen == 3
    one.write([], [], after(13))
    assert told() == [("phone", "begun")]
    one.write([], [], after(14))
    assert told() == [("phone", "begun"), ("phone", "over")]
    assert not Alarm.objects.get().is_open


def test_what_comes_and_goes_within_its_hold_is_one_alarm() -> None:
    one = book()
    for second in range(0, 60, 9):
        one.write([], [state(after(second))], after(second))
        one.write([], [], after(second + 8))
    assert told() == [("phone", "begun")]


def test_a_state_that_comes_again_after_it_was_over_is_told_again() -> None:
    one = book()
    for second in (0, 60):
        one.write([], [state(after(second))], after(second))
        one.write([], [], after(second + 11))
    assert [about for _, about in told()] == ["begun", "over", "begun", "over"]


def test_a_restart_does_not_begin_a_state_anew_nor_end_it() -> None:
    book().write([], [state(NOON)], NOON)
    fresh = Book([Listener("phone")], after(600))
    fresh.write([], [state(after(600))], after(600))
    assert told() == [("phone", "begun")]
    assert Alarm.objects.get().is_open


def test_what_gets_worse_is_told_again_once() -> None:
    one = book()
    for second, severity in enumerate(
        [Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL, Severity.WARNING]
    ):
        one.write([], [state(after(second), severity=severity)], after(second))
    assert [about for _, about in told()] == ["begun", "worse"]
    assert Alarm.objects.get().severity == Severity.CRITICAL


@pytest.mark.parametrize(("kind", "minutes"), [(Kind.EXIT_FAILING, 60), (Kind.UNPROTECTED, 5)])
def test_a_state_that_lasts_is_told_again_after_its_interval(kind: Kind, minutes: int) -> None:
    one = book()
    for second in (0, 2, 60 * minutes - 1, 60 * minutes + 2, 60 * minutes + 4):
        one.write([], [state(after(second), kind=kind)], after(second))
    assert [about for _, about in told()] == ["begun", "still"]


def test_a_state_must_have_been_so_without_a_break_for_as_long_as_its_kind_says() -> None:
    one, patience = book(), manner(Kind.BROKER_AWAY).after.total_seconds()
    away = [state(NOON, kind=Kind.BROKER_AWAY)]
    one.write([], away, NOON)
    one.write([], [], after(patience - 1))
    one.write([], away, after(patience))
    assert told() == []
    one.write([], away, after(2 * patience))
    assert told() == [("phone", "begun")]
    assert Alarm.objects.get().raised_at == after(patience)


def test_what_starts_together_with_the_alarms_is_given_time_to_start() -> None:
    young = Book([Listener("phone")], NOON)
    dead = [state(NOON, kind=Kind.CONSUMER_DEAD)]
    young.write([], dead, after(1))
    young.write([], dead, after(7))
    assert told() == []
    young.write([], dead, after(8))
    assert told() == [("phone", "begun")]


def test_a_ban_seen_by_many_is_one_alarm_that_ends_when_the_exchange_says() -> None:
    one, until = book(), after(120)
    ban = Draft(Kind.BAN, "ban:main", Severity.CRITICAL, "main", "banned", NOON, lasting=True, until=until)
    one.write([ban, replace(ban, at=after(1))], [], after(2))
    one.write([replace(ban, at=after(3), until=after(180))], [], after(4))
    one.write([], [], after(179))
    assert told() == [("phone", "begun")]
    one.write([], [], after(181))
    assert told() == [("phone", "begun"), ("phone", "over")]


def test_a_ban_that_is_read_again_after_its_end_is_not_told_again() -> None:
    ban = Draft(Kind.BAN, "ban:main", Severity.CRITICAL, "main", "banned", NOON, lasting=True, until=after(6))
    for second in (12, 30):
        book().write([ban], [], after(second))
    assert [about for _, about in told()] == ["begun", "over"]


def test_a_channel_hears_only_what_is_loud_enough_for_it() -> None:
    one = book(Listener("log"), Listener("phone", Severity.CRITICAL))
    one.write([event(1, Severity.WARNING), event(2, Severity.CRITICAL)], None, NOON)
    assert sorted(told()) == [("log", "begun"), ("log", "begun"), ("phone", "begun")]
    assert Telling.objects.get(channel="phone").alarm.severity == Severity.CRITICAL


def test_what_was_told_from_memory_is_written_down_and_not_told_again() -> None:
    one = book(Listener("phone"), Listener("mail"))
    away = Draft(Kind.DATABASE_AWAY, "database", Severity.CRITICAL, "database", "away", NOON, lasting=True)
    one.note_told(away, {"phone"}, after(30))
    assert list(Telling.objects.filter(told_at=None).values_list("channel", flat=True)) == ["mail"]
    one.write([], [], after(41))
    assert Alarm.objects.get().raised_at == NOON
    assert sorted(told()) == [("mail", "begun"), ("mail", "over"), ("phone", "begun"), ("phone", "over")]


def test_the_database_refuses_two_open_alarms_of_one_key_and_two_of_one_event() -> None:
    one = book()
    one.write([event()], [state(NOON)], NOON)
    for alarm in Alarm.objects.all():
        alarm.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            alarm.save(force_insert=True)


def test_recent_alarms_begin_with_the_open_ones() -> None:
    one = book()
    one.write([], [state(NOON)], NOON)
    one.write([replace(event(number), at=after(number)) for number in (1, 2, 3)], None, after(4))
    assert [alarm.key for alarm in alarms.recent(3)] == ["exit:9", "event:3", "event:2"]
    assert [alarm.key for alarm in alarms.recent(1)] == ["exit:9"]


def test_old_alarms_are_pruned_and_open_ones_are_not() -> None:
    one = book()
    one.write([event()], [state(NOON)], NOON)
    assert pruning.prune(before=after(3600)) == 1
    assert alarms.recent(5) == [Alarm.objects.get(key="exit:9")]


def test_a_state_that_is_seen_again_after_the_clock_was_set_back_is_told_again_and_ends_in_time() -> None:
    one = book()
    one.write([], [state(after(3000))], after(3000))
    one.write([], [state(NOON)], NOON)
    assert told() == [("phone", "begun"), ("phone", "still")]
    alarm = Alarm.objects.get()
    assert (alarm.last_seen_at, alarm.holds_until, alarm.remind_at) == (NOON, after(10), after(3600))


def test_a_state_that_is_gone_after_the_clock_was_set_back_is_over_and_may_begin_anew() -> None:
    one = book()
    one.write([], [state(after(3600))], after(3600))
    one.write([], [], NOON)
    one.write([], [state(after(2))], after(2))
    assert [about for _, about in told()] == ["begun", "over", "begun"]


def test_a_state_must_have_been_so_for_a_while_by_one_clock() -> None:
    one, patience = book(), manner(Kind.BROKER_AWAY).after.total_seconds()
    for second in (3600, 0, patience - 1):
        one.write([], [state(after(second), kind=Kind.BROKER_AWAY)], after(second))
    assert told() == []
    one.write([], [state(after(patience), kind=Kind.BROKER_AWAY)], after(patience))
    assert told() == [("phone", "begun")]


def test_alarms_that_were_started_before_the_clock_was_set_back_have_settled() -> None:
    one = Book([Listener("phone")], after(3600))
    one.write([], [state(NOON, kind=Kind.CONSUMER_DEAD)], NOON)
    assert told() == [("phone", "begun")]
