"""The daily digest: once a date, from its time of day on, with what the day brought."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from robson.alarms import digest
from robson.alarms.book import Book
from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm
from tests import factories
from trading.domain.lifecycle import GuardState, PositionState

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)
YESTERDAY = MORNING - timedelta(hours=12)


@pytest.mark.parametrize(
    ("minutes", "due"), [(-1, False), (0, True), (359, True), (360, False), (1_439, False), (1_440, True)]
)
def test_it_is_due_for_some_hours_from_its_time_of_day_on(minutes: int, due: bool) -> None:
    assert digest.is_due(time(6), MORNING + timedelta(minutes=minutes)) is due


def test_a_quiet_day_is_told_as_such() -> None:
    factories.everything_works(at=MORNING)
    assert digest.draft(MORNING).text.splitlines() == [
        "Core: 0 opened, 0 closed",
        "Safety Net: 0 found, 0 ended",
        "Now: 0 open, 0 of them unprotected, 0 exempt",
        "Alarms: none",
        "Polls of main: in time 100.00 % of the time, 0 since the beginning",
    ]


def test_it_tells_what_was_opened_and_closed_and_with_what_result() -> None:
    factories.everything_works(at=MORNING)
    factories.core_position(opened_at=YESTERDAY)
    closed = factories.core_position(
        "ETHUSDT",
        state=PositionState.CLOSED,
        opened_at=YESTERDAY,
        closed_at=YESTERDAY,
        exit_price=Decimal("61000"),
        realised_pnl=Decimal("8.5"),
        exit_reason="trailing stop",
    )
    before = MORNING - timedelta(days=2)
    factories.core_position("XRPUSDT", state=PositionState.CLOSED, opened_at=before, closed_at=before)
    factories.guard(
        "BNBUSDT", state=GuardState.CLOSED, opened_at=YESTERDAY, closed_at=YESTERDAY, end_reason="safety stop"
    )
    lines = digest.draft(MORNING).text.splitlines()
    assert lines[:3] == [
        "Core: 2 opened, 1 closed",
        f"  {closed}: out at 61000, result 8.5 (trailing stop)",
        "Safety Net: 1 found, 1 ended (1 safety stop)",
    ]
    assert "Now: 1 open, 0 of them unprotected, 0 exempt" in lines


def test_it_counts_alarms_and_the_time_that_polls_were_late() -> None:
    factories.everything_works(at=MORNING)
    late = Draft(
        Kind.POLL_LATE, "poll:main", Severity.WARNING, "main", "late", YESTERDAY, True, account="main"
    )
    book = Book((), YESTERDAY - timedelta(hours=1))
    for minutes in (0, 144):
        at = YESTERDAY + timedelta(minutes=minutes)
        book.write([], [replace(late, at=at)], at)
    lines = digest.draft(MORNING).text.splitlines()
    assert "Alarms: 1 poll late" in lines
    assert "Polls of main: in time 90.00 % of the time, 0 since the beginning" in lines


def test_it_is_written_down_once_a_date() -> None:
    book = Book((), MORNING)
    for hours in (0, 1, 24):
        now = MORNING + timedelta(hours=hours)
        book.write([digest.draft(now)], None, now)
    assert list(Alarm.objects.order_by("id").values_list("key", flat=True)) == [
        "digest:2026-03-03",
        "digest:2026-03-04",
    ]
