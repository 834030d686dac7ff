"""Redis away, the database away, both away: nothing is sent without a record, and no stop is lost."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from safetynet.models import GuardedPosition, PollState
from tests.faults import crash_judging, outage_stage
from tests.faults.crash_judging import Ledger
from tests.faults.outage_stage import WAITING, Scene, Stage
from trading import gateway
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import OrderIntent, Position
from trading.watchdog import consumer_is_silent

pytestmark = pytest.mark.processes

EVERYTHING = ("consumer", "worker-exits", "worker-safetynet", "worker-default", "beat")


@pytest.fixture(scope="module")
def stage(django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    with django_db_blocker.unblock(), outage_stage.opened() as opened:
        yield opened


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    """All processes up and well."""
    scene = Scene(stage)
    scene.programs.have(EVERYTHING)
    yield scene
    stage.restore()


@pytest.fixture
def without_redis(stage: Stage) -> Iterator[Scene]:
    """No Redis, and no process yet."""
    scene = Scene(stage)
    scene.programs.have(())
    scene.broker.kill()
    yield scene
    stage.restore()


def problems(scene: Scene, *rows: Position | GuardedPosition) -> list[str]:
    """What is wrong: one order for each, nothing left on the exchange, and the events tell it."""
    found = list(Ledger.of(scene.control).problems(scene.name))
    if len(scene.orders()) != len(rows):
        found.append(f"{len(scene.orders())} orders")
    if OrderIntent.objects.filter(slot__account=scene.account).exclude(state="done").exists():
        found.append("an exit is not settled")
    for row in rows:
        if isinstance(row, Position):
            found += crash_judging.of_position(row.pk, PositionState.ACTIVE)
        else:
            found += crash_judging.of_guard(row.pk)
    return found


def polled_by(scene: Scene, process: str) -> bool:
    return PollState.objects.filter(account=scene.account, lease_holder__contains=f":{process}").exists()


def test_database_away_nothing_is_sent_and_both_guards_resume_by_themselves(scene: Scene) -> None:
    position, guard = scene.watched(), scene.guarded()
    scene.database.kill()
    scene.touch(core=Side.LONG, hand=True)
    scene.always(lambda: scene.orders() == [], for_s=3)
    scene.database.start()
    scene.until(lambda: scene.closed(position, guard))
    assert problems(scene, position, guard) == []
    assert "CRITICAL" in scene.logged("consumer")
    assert "the database is away, trying again" in scene.logged("consumer")


def test_database_lost_between_order_and_record_the_orders_are_found(scene: Scene) -> None:
    position, guard = scene.watched(Side.SHORT), scene.guarded()
    scene.answers_late(orders=2)
    scene.touch(core=Side.SHORT, hand=True)
    scene.until(lambda: len(scene.orders()) == 2)
    scene.database.kill()
    scene.until(lambda: "trying again" in scene.logged("consumer"))
    scene.database.start()
    scene.until(lambda: scene.closed(position, guard))
    assert problems(scene, position, guard) == []


def test_database_that_hangs_delays_an_exit_and_does_not_double_it(scene: Scene) -> None:
    position = scene.watched(Side.SHORT)
    scene.database.hang()
    scene.touch(core=Side.SHORT)
    scene.always(lambda: scene.orders() == [], for_s=3)
    scene.database.start()
    scene.until(lambda: scene.closed(position))
    assert problems(scene, position) == []


def test_both_away_at_rest_both_guards_resume_by_themselves(scene: Scene) -> None:
    position, guard = scene.watched(), scene.guarded()
    scene.broker.kill()
    scene.database.kill()
    scene.touch(core=Side.LONG, hand=True)
    scene.always(lambda: scene.orders() == [], for_s=3)
    scene.database.start()
    scene.broker.start()
    scene.until(lambda: scene.closed(position, guard))
    assert problems(scene, position, guard) == []


def test_both_lost_between_order_and_record_the_orders_are_found(scene: Scene) -> None:
    position, guard = scene.watched(), scene.guarded()
    scene.answers_late(orders=2)
    scene.touch(core=Side.LONG, hand=True)
    scene.until(lambda: len(scene.orders()) == 2)
    scene.broker.kill()
    scene.database.kill()
    scene.until(lambda: "trying again" in scene.logged("consumer"))
    scene.database.start()
    scene.broker.start()
    scene.until(lambda: scene.closed(position, guard))
    assert problems(scene, position, guard) == []


def test_redis_lost_in_the_middle_of_a_safety_exit_which_goes_on(scene: Scene) -> None:
    guard = scene.guarded()
    scene.answers_late(orders=1)
    scene.touch(hand=True)
    scene.until(lambda: len(scene.orders()) == 1)
    scene.broker.kill()
    scene.until(lambda: scene.closed(guard))
    scene.broker.start()
    scene.until(lambda: polled_by(scene, "safetynet"))
    assert problems(scene, guard) == []


def test_redis_that_hangs_keeps_core_neither_from_its_exit_nor_from_its_signs_of_life(scene: Scene) -> None:
    """The answer is lost, so that the exit has to be pursued, and a task is queued for whoever takes over."""
    position = scene.watched()
    scene.answers_late(orders=1)
    scene.broker.hang()
    scene.touch(core=Side.LONG)
    scene.always(lambda: not consumer_is_silent(gateway.utc_now()), for_s=settings.CONSUMER_SILENT_S + 3)
    assert scene.closed(position)
    assert problems(scene, position) == []


def test_redis_away_from_the_start_core_exits_and_the_safety_net_once_it_is_back(
    without_redis: Scene,
) -> None:
    scene = without_redis
    position = scene.core()
    scene.programs.start("consumer")
    workers = ("worker-exits", "worker-safetynet", "worker-default")
    scene.programs.start(*(worker + WAITING for worker in workers), "beat")
    scene.touch(core=Side.LONG)
    scene.until(lambda: scene.closed(position))
    assert problems(scene, position) == []
    scene.broker.start()
    guard = scene.guarded()
    scene.until(lambda: polled_by(scene, "safetynet"))
    scene.touch(hand=True)
    scene.until(lambda: scene.closed(guard))
    assert problems(scene, position, guard) == []


def test_redis_away_the_consumer_runs_the_poll_which_exits_by_itself(without_redis: Scene) -> None:
    scene = without_redis
    scene.programs.start("consumer")
    guard = scene.guarded()
    scene.touch(hand=True)
    scene.until(lambda: scene.closed(guard))
    assert polled_by(scene, "runconsumer")
    assert "no poll has run for" in scene.logged("consumer")
    assert problems(scene, guard) == []
