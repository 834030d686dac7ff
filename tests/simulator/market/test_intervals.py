"""Where candles open."""

from datetime import UTC, datetime

import pytest

from simulator.market.intervals import INTERVALS, next_open, open_at
from tests.simulator.market.support import START_MS


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("interval", "opened", "following"),
    [
        ("1s", "2024-02-29T13:37:41", "2024-02-29T13:37:42"),
        ("3m", "2024-02-29T13:36:00", "2024-02-29T13:39:00"),
        ("4h", "2024-02-29T12:00:00", "2024-02-29T16:00:00"),
        ("1d", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("1w", "2024-02-26T00:00:00", "2024-03-04T00:00:00"),
        ("1M", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
    ],
)
def test_candle_opens_on_the_calendar(interval: str, opened: str, following: str) -> None:
    assert open_at(interval, ms("2024-02-29T13:37:41")) == ms(opened)
    assert next_open(interval, ms(opened)) == ms(following)


def test_month_after_december_is_january() -> None:
    assert next_open("1M", ms("2023-12-01T00:00:00")) == ms("2024-01-01T00:00:00")


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_moment_lies_in_exactly_one_candle(interval: str) -> None:
    opened = open_at(interval, START_MS + 12_345)
    following = next_open(interval, opened)
    assert opened <= START_MS + 12_345 < following
    assert open_at(interval, following - 1) == opened
    assert open_at(interval, following) == following
