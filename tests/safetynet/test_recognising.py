"""That the poll has kept off a position is in the event log: once, and again when the answer changes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.safetynet.support import Poll, core_unreadable
from trading.models import Event, Position

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def core(market: SimulatorProcess) -> Position:
    """A position of Core's that is really on the exchange."""
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    return factories.core_position("BTCUSDT", quantity="0.01")


@contextmanager
def _columns_gone() -> Iterator[None]:
    """Questions about Core's positions fail, and what refers to them can still be written."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_position RENAME COLUMN quantity TO hidden")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE trading_position RENAME COLUMN hidden TO quantity")


def told() -> list[tuple[str, int | None]]:
    return list(Event.objects.values_list("kind", "position_id"))


def test_the_first_poll_says_whose_the_position_is_and_the_next_ones_do_not_repeat_it(
    core: Position, poll: Poll
) -> None:
    for _ in range(3):
        assert poll().skipped == 1

    (event,) = Event.objects.all()
    assert (event.kind, event.position_id, event.slot_id) == ("position.recognised", core.pk, core.slot_id)
    assert event.data["core_state"] == "active"
    assert event.data["price"] == "60000"


@pytest.mark.parametrize("named", [True, False])
def test_what_the_exclusion_set_said_is_recorded_before_it_is_put_right(
    core: Position, poll: Poll, redis_client: redis.Redis, named: bool
) -> None:
    if named:
        redis_client.sadd("core_exclusion_set:main", str(core.slot.key))
    poll()
    assert Event.objects.get().data["exclusion_set"] == ("named" if named else "not named")


def test_without_redis_the_record_says_so(core: Position, poll: Poll, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert poll().failures == []
    assert Event.objects.get().data["exclusion_set"] == "cannot say"


def test_each_change_of_the_answer_is_told(core: Position, poll: Poll) -> None:
    poll()
    for _ in range(2):
        with _columns_gone():
            poll()
    poll()
    assert told() == [
        ("position.recognised", core.pk),
        ("guard.left_alone", None),
        ("position.recognised", core.pk),
    ]


def test_a_record_that_cannot_be_written_does_not_fail_the_poll(core: Position, poll: Poll) -> None:
    with core_unreadable():
        assert poll().failures == []
    assert told() == []
    poll()
    assert told() == [("position.recognised", core.pk)]


def test_once_it_is_told_a_poll_costs_no_question_more(core: Position, poll: Poll) -> None:
    poll()
    with CaptureQueriesContext(connection) as repeated:
        poll()
    assert not [query["sql"] for query in repeated if "trading_event" in query["sql"]]
    assert not [query["sql"] for query in repeated if 'FROM "trading_slot"' in query["sql"]]
