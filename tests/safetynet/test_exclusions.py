"""The exclusion set: fed, rebuilt, asked, and never in the way."""

import pytest
import redis
from pytest_django.fixtures import Settings

from safetynet import exclusions
from trading.domain.events import CorePositionClosed, CorePositionOpened
from trading.domain.types import Side, SlotKey, Venue

SLOT = SlotKey("main", Venue.ISOLATED_MARGIN, "BTCUSDT", Side.LONG)
OTHER = SlotKey("main", Venue.ISOLATED_MARGIN, "ETHUSDT", Side.SHORT)
NOWHERE = "redis://127.0.0.1:1/0"


def test_a_slot_is_contained_from_opened_to_closed(redis_client: redis.Redis) -> None:
    assert exclusions.contains(SLOT) is False

    exclusions.on_core_position_opened(
        CorePositionOpened("1", SLOT.symbol, SLOT.side, "1001", SLOT.account, SLOT.venue)
    )
    assert exclusions.contains(SLOT) is True
    assert exclusions.contains(OTHER) is False

    exclusions.on_core_position_closed(
        CorePositionClosed("1", SLOT.symbol, SLOT.side, SLOT.account, SLOT.venue)
    )
    assert exclusions.contains(SLOT) is False


def test_a_rebuild_replaces_whatever_was_there(redis_client: redis.Redis) -> None:
    redis_client.sadd("core_exclusion_set:main", str(OTHER), "nonsense")

    assert exclusions.rebuild("main", [SLOT])

    assert redis_client.smembers("core_exclusion_set:main") == {str(SLOT)}


def test_a_rebuild_without_holdings_empties_the_set(redis_client: redis.Redis) -> None:
    redis_client.sadd("core_exclusion_set:main", str(SLOT))

    assert exclusions.rebuild("main", [])

    assert not redis_client.exists("core_exclusion_set:main")


def test_one_account_does_not_touch_the_set_of_another(redis_client: redis.Redis) -> None:
    redis_client.sadd("core_exclusion_set:other", "kept")

    exclusions.rebuild("main", [SLOT])

    assert redis_client.smembers("core_exclusion_set:other") == {"kept"}


def test_without_redis_the_answer_is_that_it_cannot_say(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = NOWHERE

    assert exclusions.contains(SLOT) is None
    assert exclusions.rebuild("main", [SLOT]) is False
    exclusions.on_core_position_opened(
        CorePositionOpened("1", SLOT.symbol, SLOT.side, "1001", SLOT.account, SLOT.venue)
    )
    exclusions.on_core_position_closed(
        CorePositionClosed("1", SLOT.symbol, SLOT.side, SLOT.account, SLOT.venue)
    )
    assert len([record for record in caplog.records if record.name == "safetynet.exclusions"]) == 4


def test_a_set_of_the_wrong_type_cannot_say_either(redis_client: redis.Redis) -> None:
    redis_client.set("core_exclusion_set:main", "not a set")

    assert exclusions.contains(SLOT) is None
