"""The end of the event log is read without a loss, whatever the order in which events are committed."""

from collections.abc import Iterator

import psycopg
import pytest

from robson.alarms import tail
from robson.alarms.tail import Tail
from tests import factories
from tests.live import another_connection
from tests.trading.world import until
from trading.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = (
    "INSERT INTO trading_event (at, kind, slot_id, data, source) "
    "VALUES (now(), 'intent.dust', %s, '{}', 'another') RETURNING id"
)


@pytest.fixture
def another(transactional_db: None) -> Iterator[psycopg.Connection]:
    """Another process's connection, in a transaction of its own."""
    with another_connection() as found:
        yield found
        found.rollback()


def dust() -> int:
    return Event.objects.create(kind="intent.dust", slot=factories.slot()).pk


def slowly(another: psycopg.Connection) -> int:
    """An event that has its number and is not committed."""
    row = another.execute(INSERT, [factories.slot().pk]).fetchone()
    assert row is not None
    return int(row[0])


def read(end: Tail, at: float = 0.0) -> list[int]:
    return [fact.id for fact in end.read(at)]


def test_it_begins_with_what_comes_from_now_on() -> None:
    dust()
    end = Tail(None)
    new = dust()
    assert read(end) == [new]


def test_each_event_is_read_once() -> None:
    end = Tail(None)
    first = dust()
    assert [read(end), read(end)] == [[first], []]
    second = dust()
    assert read(end) == [second]


def test_an_event_that_is_committed_after_a_later_one_is_read(another: psycopg.Connection) -> None:
    end = Tail(None)
    early = slowly(another)
    late = dust()
    assert early < late
    assert read(end) == [late]
    # Long after: time alone must not carry the floor over a transaction that is still under way.
    assert read(end, 1_000.0) == []
    another.commit()
    assert read(end, 1_001.0) == [early]


def test_the_floor_rises_once_everything_below_it_is_settled(another: psycopg.Connection) -> None:
    end = Tail(None)
    slowly(another)
    late = dust()
    read(end, 0.0)
    before = end.floor
    read(end, 1_000.0)
    assert end.floor == before
    another.commit()
    # Transactions of other databases are under way too, with numbers of the same kind: these end first.
    until(lambda: read(end, 1_001.0) or end.floor == late, within_s=60.0)


def test_the_floor_stays_for_a_moment_however_quickly_transactions_end() -> None:
    end = Tail(None)
    before, _ = end.floor, dust()
    read(end, 0.0)
    read(end, tail.SETTLED_S - 1)
    assert end.floor == before


def test_after_a_restart_everything_above_the_floor_is_read_again(another: psycopg.Connection) -> None:
    end = Tail(None)
    early = slowly(another)
    late = dust()
    read(end)
    another.commit()
    assert read(Tail(end.floor)) == [early, late]


def test_what_could_not_be_written_down_is_read_again() -> None:
    end = Tail(None)
    new = dust()
    read(end)
    end.forget()
    assert read(end) == [new]


def test_what_nobody_is_told_of_is_not_read() -> None:
    end = Tail(None)
    Event.objects.create(kind="position.stop_raised", slot=factories.slot())
    assert read(end) == []


def test_an_event_says_whose_it_is() -> None:
    end = Tail(None)
    dust()
    Event.objects.create(kind="exchange.banned", data={"account": "other"})
    about = [(fact.account, fact.slot) for fact in end.read(0.0)]
    assert about == [("main", "BTCUSDT Long"), ("other", "")]
