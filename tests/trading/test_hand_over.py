"""Committed exits go into the exits queue; what the broker does not take is the asker's own."""

import pytest
import redis
from kombu.exceptions import OperationalError

from tests import factories
from trading import operations
from trading.models import OrderIntent
from trading.tasks import execute_intent

pytestmark = pytest.mark.django_db


@pytest.fixture
def three() -> list[OrderIntent]:
    return [factories.intent(factories.slot(symbol)) for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT")]


def test_every_exit_is_queued(three: list[OrderIntent], redis_client: redis.Redis) -> None:
    handed = operations.hand_over(three)
    assert (handed.queued, handed.ours) == (tuple(intent.pk for intent in three), ())
    assert redis_client.llen("exits") == 3


def test_a_broker_that_is_away_is_asked_once_however_much_is_open(
    three: list[OrderIntent], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def refuse(arguments: tuple[int]) -> None:
        asked.extend(arguments)
        if len(asked) > 1:
            raise OperationalError("timed out")

    monkeypatch.setattr(execute_intent, "apply_async", refuse)
    first, second, third = (intent.pk for intent in three)
    handed = operations.hand_over(three)
    assert (handed.queued, handed.ours) == ((first,), (second, third))
    assert asked == [first, second]
