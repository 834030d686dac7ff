"""The loop: what is told from memory, the dead-man's switch, and a round that goes wrong."""

import time

import pytest
from django.db import connection
from django.utils import timezone

from robson.alarms import rounds
from robson.alarms.channels import Ping, apprise_channel
from robson.alarms.config import Config
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm, Telling
from robson.alarms.process import AWAY_S, DEAF_S, PING_S, Alarms
from robson.alarms.rounds import Rounds
from tests import factories
from tests.alarms.endpoint import Endpoint, wait_until
from trading.models import Event, Heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def channel(address: str) -> Config:
    found = apprise_channel(address, Severity.INFO)
    assert found is not None
    return Config(channels=(found,))


def tick_until_free(alarms: Alarms, now: float) -> None:
    """Until the channels have done what they were given."""

    def free() -> bool:
        alarms.tick(now)
        return not any(line.is_busy for line in alarms.lines.values())

    wait_until(free, 10)


@pytest.fixture
def told(endpoint: Endpoint) -> Alarms:
    return Alarms(channel(endpoint.address))


def test_a_database_that_hangs_is_told_from_memory_once_and_written_down_when_it_is_back(
    told: Alarms, endpoint: Endpoint
) -> None:
    began = told.rounds.ok_at
    told.tick(began + AWAY_S - 1)
    tick_until_free(told, began + AWAY_S + 1)
    tick_until_free(told, began + AWAY_S + 20)
    (message,) = endpoint.saying("CRITICAL database away")
    assert "it hangs" in message.body
    told.rounds.ok_at = began + AWAY_S + 21
    told.tick(began + AWAY_S + 21)
    now = timezone.now()
    told.rounds.round(now, began)
    alarm = Alarm.objects.get(kind=Kind.DATABASE_AWAY)
    assert alarm.told_at == now
    assert not Telling.objects.filter(told_at=None).exists()


def test_a_database_that_stays_away_is_told_again_after_an_hour(told: Alarms, endpoint: Endpoint) -> None:
    began = told.rounds.ok_at + AWAY_S + 1
    tick_until_free(told, began)
    tick_until_free(told, began + 3599)
    assert len(endpoint.messages) == 1
    tick_until_free(told, began + 3601)
    assert len(endpoint.messages) == 2


@pytest.fixture
def pinging(endpoint: Endpoint) -> Alarms:
    found = channel(endpoint.address)
    ping = Ping(f"http://127.0.0.1:{endpoint.port}/uuid")
    return Alarms(Config(channels=found.channels, ping=ping))


def settle(alarms: Alarms, now: float) -> None:
    alarms.rounds.ok_at = now
    line = alarms._ping
    assert line is not None
    alarms.tick(now)
    deadline = time.monotonic() + 5
    while line.is_busy and time.monotonic() < deadline:
        alarms.tick(now)


def test_the_heartbeat_is_sent_once_a_minute_while_all_is_well(pinging: Alarms, endpoint: Endpoint) -> None:
    pinging.rounds.well = True
    for now in (100.0, 100.0 + PING_S - 1, 100.0 + PING_S + 1):
        settle(pinging, now)
    assert len(endpoint.pings) == 2


def test_the_heartbeat_stops_when_a_part_does_not_work(pinging: Alarms, endpoint: Endpoint) -> None:
    pinging.rounds.well = False
    settle(pinging, 100.0)
    assert endpoint.pings == []


def test_the_heartbeat_stops_when_the_database_is_away(pinging: Alarms, endpoint: Endpoint) -> None:
    pinging.rounds.well, pinging.rounds.ok_at = True, 100.0
    pinging.tick(100.0 + AWAY_S + 1)
    assert pinging._ping is not None
    assert not pinging._ping.is_busy


def test_the_heartbeat_stops_when_a_channel_has_been_failing_for_long(
    pinging: Alarms, endpoint: Endpoint
) -> None:
    pinging.rounds.well = True
    (line,) = pinging.lines.values()
    line.failing_since = 100.0
    settle(pinging, 100.0 + DEAF_S + 1)
    assert endpoint.pings == []
    line.failing_since = None
    settle(pinging, 100.0 + DEAF_S + 2)
    assert len(endpoint.pings) == 1


def test_a_heartbeat_that_does_not_get_through_is_tried_again_soon(
    pinging: Alarms, endpoint: Endpoint
) -> None:
    pinging.rounds.well, endpoint.status = True, 503
    for now in (100.0, 101.0, 103.0):
        settle(pinging, now)
    assert len(endpoint.pings) == 2


@pytest.fixture
def working() -> Rounds:
    factories.everything_works()
    return Rounds(Config(ping=Ping("http://127.0.0.1:9/")), lambda: [])


def test_what_must_work_is_judged_by_all_of_its_parts(working: Rounds) -> None:
    working.round(timezone.now(), 1_000.0)
    assert working.well
    Heartbeat.objects.filter(name="consumer").delete()
    working.round(timezone.now(), 1_000.0 + rounds.HEALTH_S)
    assert not working.well


def test_a_round_leaves_a_sign_of_life_and_where_the_log_was_read_to(working: Rounds) -> None:
    Event.objects.create(kind="intent.dust", slot=factories.slot())
    working.round(timezone.now(), 1_000.0)
    beat = Heartbeat.objects.get(name="alarms")
    assert beat.data["floor"] == Event.objects.latest("id").pk


def test_an_event_of_a_round_that_could_not_be_written_is_told_by_the_next(working: Rounds) -> None:
    working.round(timezone.now(), 1_000.0)
    Event.objects.create(kind="intent.dust", slot=factories.slot())
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    working._try()
    assert "read-only" in working.error
    assert not Alarm.objects.exists()
    # The failed round has closed its connection: the next is one that may write.
    working._try()
    assert working.error == ""
    assert Alarm.objects.get().kind == Kind.DUST
