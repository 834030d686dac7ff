"""The page says what is wrong within seconds, also when what is wrong does not answer at all."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from robson import health
from tests import factories
from tests.relay import to_the_database

pytestmark = pytest.mark.django_db(transaction=True)


# What a busy machine may add. Without a time-out the answer would not come at all.
SLACK_S = 10


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK_S


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Where connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def unready(client: Client, page: str = "/readyz") -> dict[str, str]:
    answer = client.get(page)
    assert answer.status_code == 503
    return {part["name"]: part["detail"] for part in answer.json()["parts"] if not part["ready"]}


def test_a_broker_that_hangs_is_told_within_seconds(
    client: Client, settings: Settings, silent_port: int
) -> None:
    factories.everything_works()
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_port}/0"
    with within(health.BROKER_ANSWERS_S + 1):
        assert set(unready(client)) == {"broker"}


def test_a_database_that_hangs_is_told_within_seconds(client: Client) -> None:
    factories.everything_works()
    with to_the_database() as relay:
        assert client.get("/readyz").status_code == 200
        # A connection that is kept, as a worker's, knows nothing of it.
        connection.ensure_connection()
        relay.freeze()
        with within(health.DATABASE_ANSWERS_S + 1):
            health.parts(factories.NOON)
        with within(3 + health.DATABASE_ANSWERS_S + 1):
            assert set(unready(client)) == {"database"}


def test_counters_are_told_without_the_database(client: Client) -> None:
    with to_the_database() as relay:
        relay.freeze()
        with within(3 + health.DATABASE_ANSWERS_S + 1):
            text = client.get("/metrics").content.decode()
    assert 'robson_ready{part="database"} 0.0' in text
    assert "robson_events_total" in text
    assert "robson_unprotected_positions" not in text


def test_a_question_that_a_lock_holds_up_is_given_up(client: Client) -> None:
    factories.everything_works()
    with _locked("trading_heartbeat"), within(health.DATABASE_ANSWERS_S + 1):
        assert "statement timeout" in unready(client)["database"]


@contextmanager
def _locked(table: str) -> Iterator[None]:
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        other.rollback()
        other.close()
