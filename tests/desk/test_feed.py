"""The reader behind the streams: one for all viewers, only while somebody watches, and loud when it fails."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import OperationalError

from robson.desk import feed as module
from robson.desk.feed import Feed
from robson.desk.picture import Picture
from tests.desk.test_messages import PICTURE


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.01)


def counting(reads: list[datetime], trouble: Callable[[int], bool] = lambda _: False) -> Feed:
    def read(now: datetime) -> Picture:
        reads.append(now)
        if trouble(len(reads)):
            raise OperationalError("connection refused\nis it running?")
        return PICTURE

    return Feed(read)


async def test_two_viewers_cost_one_reading() -> None:
    reads: list[datetime] = []
    feed = counting(reads)
    async with feed.watching(), feed.watching():
        first = await feed.newer(0)
        view = await feed.newer(first.number + 4)
    assert view.number == 6
    assert len(reads) <= 7


async def test_nobody_watching_costs_nothing_and_the_next_viewer_starts_it_again() -> None:
    reads: list[datetime] = []
    feed = counting(reads)
    async with feed.watching():
        await feed.newer(0)
    assert feed._reader is not None
    await feed._reader
    stopped = len(reads)
    async with feed.watching():
        assert (await feed.newer(feed.latest)).number > stopped


async def test_a_database_that_is_away_is_told_and_its_return_too() -> None:
    feed = counting([], trouble=lambda number: number == 2)
    async with feed.watching():
        well = await feed.newer(0)
        troubled = await feed.newer(well.number)
        again = await feed.newer(troubled.number)
    assert troubled.trouble == "The database does not answer: connection refused"
    assert (well.trouble, again.trouble, again.picture) == ("", "", PICTURE)


async def test_an_unexpected_error_is_told_as_well() -> None:
    def read(_now: datetime) -> Picture:
        raise ZeroDivisionError

    feed = Feed(read)
    async with feed.watching():
        assert "log of the web process" in (await feed.newer(0)).trouble
