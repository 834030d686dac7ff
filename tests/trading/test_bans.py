"""A ban leaves an event, and costs whoever meets it nothing."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from tests.trading.world import World
from trading import bans, execution
from trading.consumer import process
from trading.exchange.errors import RetryLater, StopAndPage
from trading.models import Event


def banned_events() -> list[Event]:
    return list(Event.objects.filter(kind="exchange.banned").order_by("id"))


def meet(world: World) -> None:
    with pytest.raises(StopAndPage):
        world.exchange.margin_pairs()


@pytest.mark.parametrize(
    ("fault", "status", "seconds"),
    [
        ({"kind": "ban", "seconds": 20}, 418, 20),
        ({"kind": "http_status", "status": 403}, 403, 60),
    ],
)
def test_it_says_which_account_until_when_and_why(
    world: World, fault: dict[str, object], status: int, seconds: int
) -> None:
    world.control.fault(**fault)  # type: ignore[arg-type]
    meet(world)
    assert banned_events() == []
    bans.write()
    (event,) = banned_events()
    assert (event.data["account"], event.data["http_status"]) == ("main", status)
    until = event.at.fromisoformat(event.data["until"])
    assert seconds - 2 <= (until - event.at).total_seconds() <= seconds + 2


def test_one_ban_met_by_many_threads_is_one_event(world: World) -> None:
    error = StopAndPage("banned", after_s=60, http_status=418)
    at = world.desk.clock()
    threads = [threading.Thread(target=bans.note, args=("main", error, at)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bans.write()
    bans.write()
    assert len(banned_events()) == 1


def test_a_ban_that_is_made_longer_is_another_event(world: World) -> None:
    at = world.desk.clock()
    for seconds in (60, 62, 120):
        bans.note("main", StopAndPage("banned", after_s=seconds, http_status=418), at)
    bans.write()
    assert len(banned_events()) == 2


def test_a_ban_that_is_met_after_the_clock_was_set_back_is_another_event(world: World) -> None:
    now = world.desk.clock()
    for at in (now + timedelta(hours=1), now):
        bans.note("main", StopAndPage("banned", after_s=60, http_status=418), at)
    bans.write()
    assert len(banned_events()) == 2


@pytest.mark.parametrize(
    "error",
    [
        RetryLater("slower", after_s=10, http_status=429),
        StopAndPage("bad key", after_s=60, code=-2015, http_status=401),
    ],
)
def test_what_is_no_ban_leaves_none(world: World, error: RetryLater | StopAndPage) -> None:
    bans.note("main", error, world.desk.clock())
    bans.write()
    assert banned_events() == []


def test_an_exit_that_meets_a_ban_asks_the_database_nothing_for_it(world: World) -> None:
    intent = world.request_exit(world.enter())
    world.control.fault("ban", seconds=20)
    execution.execute(intent.pk, world.desk)
    assert banned_events() == []


def test_the_consumer_writes_down_with_its_heartbeat_what_it_has_met(world: World) -> None:
    world.control.fault("ban", seconds=20)
    meet(world)
    process._beat({})
    assert len(banned_events()) == 1


def test_while_the_database_refuses_it_stays_noted(world: World) -> None:
    world.control.fault("ban", seconds=20)
    meet(world)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    bans.write()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
    assert banned_events() == []
    bans.write()
    assert len(banned_events()) == 1
