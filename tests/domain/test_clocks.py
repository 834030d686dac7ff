"""Which times can be true, and how long ago they were."""

from datetime import UTC, datetime, timedelta

import pytest

from trading.domain.clocks import APART, age, latest

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_what_was_is_as_old_as_the_clock_says() -> None:
    assert age(NOON - 90 * SECOND, NOON) == 90 * SECOND


@pytest.mark.parametrize("ahead", [timedelta(0), SECOND, APART])
def test_what_a_host_whose_clock_is_a_little_ahead_has_noted_is_of_now(ahead: timedelta) -> None:
    assert age(NOON + ahead, NOON) == timedelta(0)


@pytest.mark.parametrize("ahead", [APART + SECOND, timedelta(hours=1)])
def test_what_nobody_can_have_noted_yet_is_older_than_anything(ahead: timedelta) -> None:
    assert age(NOON + ahead, NOON) == timedelta.max


def test_who_writes_times_ahead_may_be_so_much_further_ahead() -> None:
    assert latest(NOON, 20 * SECOND) == NOON + 20 * SECOND + APART
