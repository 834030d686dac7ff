"""The consumer as the process that it is: from a crossover to an exit, through silence, noise and kill -9."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Self

import pytest

from tests.live import database_url
from tests.trading.support import PROJECT
from tests.trading.world import SYMBOL, World, until
from trading import arming
from trading.arming import ArmOrder
from trading.models import Event, Heartbeat, OrderIntent, Position

pytestmark = [pytest.mark.processes]


class ConsumerProcess:
    """`manage.py runconsumer`, with its log in a file."""

    def __init__(self, folder: Path) -> None:
        self._log = (folder / "consumer.log").open("ab")
        self.path = folder / "consumer.log"

    def start(self) -> Self:
        Heartbeat.objects.all().delete()
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "runconsumer"],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": database_url(), "ROBSON_FEED_AGE_LIMIT_S": "1"},
            stdout=self._log,
            stderr=self._log,
        )
        return self

    def follows(self) -> bool:
        """Whether it says that it watches the symbol; a process that ended is a failure."""
        assert self._process.poll() is None, self.path.read_text()
        beat = Heartbeat.objects.filter(name="consumer").first()
        return beat is not None and SYMBOL in beat.data["symbols"]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill()
        self._log.close()


@pytest.fixture
def consumer(world: World, tmp_path: Path) -> Iterator[ConsumerProcess]:
    process = ConsumerProcess(tmp_path)
    yield process
    process.close()


def dropped(_: World) -> int:
    return int(Heartbeat.objects.get(name="consumer").data["dropped"])


def fresh_state(position: Position) -> str:
    position.refresh_from_db()
    return position.state


def has_stop(position: Position, stop: Decimal) -> bool:
    position.refresh_from_db()
    return bool(position.stop_price == stop)


def assert_exited_once(world: World, position: Position) -> None:
    until(lambda: fresh_state(position) == "closed")
    assert len(world.orders("SELL")) == 1
    assert OrderIntent.objects.filter(purpose="exit").count() == 1
    assert Event.objects.filter(position=position, kind="position.closed").count() == 1
    assert world.violations() == []


def test_crossover_opens_and_trailing_stop_closes_amid_malformed_frames(
    world: World, consumer: ConsumerProcess
) -> None:
    order = ArmOrder(symbol=SYMBOL, interval="1s", fast_period=2, slow_period=4)
    position = arming.arm(account=world.account, order=order, exchange=world.exchange, at=world.desk.clock())
    consumer.start()
    until(consumer.follows)
    world.control.fault("malformed_frames", symbol=SYMBOL)
    prices = iter(range(60_000, 70_000, 20))

    def active_after_one_more_rise() -> bool:
        world.control.price(SYMBOL, str(next(prices)))
        return fresh_state(position) == "active"

    until(active_after_one_more_rise)
    assert position.entry_price is not None
    peak = position.entry_price.quantize(Decimal(1)) + 1_000
    world.control.price(SYMBOL, peak)
    assert position.distance is not None
    until(lambda: has_stop(position, peak - (position.distance or 0)))
    assert until(lambda: dropped(world)) > 0
    world.control.price(SYMBOL, peak - 1_300)
    assert_exited_once(world, position)
    assert consumer.terminate() == 0
    assert "ended by an error nobody expected" not in consumer.path.read_text()


def test_killed_in_mid_position_it_resumes_as_if_nothing_had_happened(
    world: World, consumer: ConsumerProcess
) -> None:
    position = world.enter()
    consumer.start()
    until(consumer.follows)
    world.control.price(SYMBOL, "61000")
    until(lambda: has_stop(position, Decimal(61_000) - (position.distance or 0)))
    consumer.kill()
    for price in ("61500", "62000", "61200"):
        world.control.price(SYMBOL, price)
    consumer.start()
    until(lambda: has_stop(position, Decimal(62_000) - (position.distance or 0)))
    assert position.state == "active"
    world.control.price(SYMBOL, "60700")
    assert_exited_once(world, position)
    assert position.exit_price is not None
    assert consumer.terminate() == 0


def test_stop_touched_while_nobody_watched_is_honoured_at_the_start(
    world: World, consumer: ConsumerProcess
) -> None:
    """The market gapped through the stop and came back while everything was down."""
    position = world.enter()
    for price in ("58000", "60500"):
        world.control.price(SYMBOL, price)
    consumer.start()
    assert_exited_once(world, position)
    assert position.exit_reason == "trailing stop"
    assert Event.objects.get(kind="position.exit_requested").data["price"] == "58000"
    assert consumer.terminate() == 0


def test_exit_left_behind_by_a_dead_process_is_seen_through_at_the_start(
    world: World, consumer: ConsumerProcess
) -> None:
    position = world.enter()
    world.request_exit(position)
    consumer.start()
    assert_exited_once(world, position)
    assert consumer.terminate() == 0


def test_silent_stream_is_replaced_by_rest_prices(world: World, consumer: ConsumerProcess) -> None:
    """Connected and acknowledged, and nothing comes: the stop fires all the same."""
    position = world.enter()
    consumer.start()
    until(consumer.follows)
    world.control.fault("mute_stream", symbol=SYMBOL)
    world.control.price(SYMBOL, "58000")
    assert_exited_once(world, position)
    assert consumer.terminate() == 0
