"""What the doctor says about PostgreSQL and Redis."""

from collections.abc import Iterator

import pytest
import redis
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from robson.doctor import stores
from tests.doctor.support import FAILED, OK, WARNING, bad, verdicts

pytestmark = pytest.mark.django_db


@pytest.fixture
def full_redis(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    """Its memory's limits may be changed."""
    before = redis_client.config_get("maxmemory*")
    yield redis_client
    for name in ("maxmemory", "maxmemory-policy"):
        redis_client.config_set(name, str(before[name]))


def test_a_database_as_it_should_be() -> None:
    assert set(verdicts(stores.database).values()) == {OK}
    assert verdicts(stores.migrations) == {"migrations": OK}


@pytest.mark.parametrize("name", ["synchronous_commit"])
def test_a_database_that_may_forget_what_was_committed_is_a_failure(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL {name} = off")
    found = bad(stores.database)
    assert (found.verdict, found.detail) == (FAILED, f"{name} off")


def test_a_clock_of_the_database_apart_from_ours_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CLOCKS_APART_S", -1.0)
    found = bad(stores.database)
    assert (found.name, found.verdict) == ("database clock", WARNING)


def test_few_connections_left_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOSTLY_USED", 0.0)
    assert bad(stores.database).name == "connections"


def test_a_migration_that_is_missing_is_a_failure_with_the_command() -> None:
    MigrationRecorder.Migration.objects.filter(app="safetynet").latest("id").delete()
    found = bad(stores.migrations)
    assert (found.verdict, "safetynet." in found.detail) == (FAILED, True)
    assert "manage.py migrate" in found.advice


def test_a_redis_as_it_should_be() -> None:
    assert verdicts(stores.redis) == {"redis": OK, "redis memory": OK}


def test_a_redis_that_throws_data_away_is_told(full_redis: redis.Redis) -> None:
    full_redis.config_set("maxmemory-policy", "allkeys-lru")
    found = bad(stores.redis)
    assert (found.verdict, "noeviction" in found.advice) == (WARNING, True)


def test_a_redis_that_is_nearly_full_is_told(full_redis: redis.Redis) -> None:
    used = full_redis.info("memory")["used_memory"]
    full_redis.config_set("maxmemory", int(used * 1.1))
    assert bad(stores.redis).name == "redis memory"


def test_a_redis_that_is_away_is_a_failure(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/1"
    found = bad(stores.redis)
    assert (found.verdict, "REDIS_URL" in found.advice) == (FAILED, True)
