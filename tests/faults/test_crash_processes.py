"""The matrix with real programs: consumer, worker and command are killed in an exit, and started again."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from robson.local import commands, logfiles
from robson.local.commands import Service
from robson.local.supervisor import Supervisor
from safetynet import exits, guarding, services
from safetynet.models import GuardedPosition
from tests.faults import crash_judging
from tests.faults.crash_cases import COLLATERAL, TOUCHED_AT
from tests.faults.crash_client import QUICK
from tests.faults.crash_points import Who
from tests.live import database_url
from tests.trading.support import PROJECT
from tests.trading.world import SYMBOL, World, until
from trading import operations, tasks
from trading.domain.types import Side
from trading.models import Heartbeat, Position

pytestmark = pytest.mark.processes

WITHIN_S = 40.0


class Processes:
    """Services under the real supervisor, and a free file name for the mark of a crash."""

    def __init__(self, environment: dict[str, str], mark: Path) -> None:
        self.environment, self.mark = environment, mark
        self.said: list[str] = []
        self._supervisor = Supervisor(environment, self.said.append)

    def start(self, service: Service) -> None:
        self._supervisor.start([service])

    def doomed(self, service: Service, who: Who, point: str) -> Service:
        """The same service, with a crash point armed."""
        program, *rest = service.arguments
        what = rest if program == "python" else ["-m", program, *rest]
        return replace(service, arguments=("python", *self.crashing(who, point, *what)))

    def crashing(self, who: Who, point: str, *program: str) -> list[str]:
        return ["-m", "tests.faults.crashing", str(self.mark), who, point, "--", *program]

    def tend_until(self, done: Callable[[], bool]) -> None:
        """Let the supervisor do its work until it is so."""
        deadline = time.monotonic() + WITHIN_S

        def reached() -> bool:
            assert time.monotonic() < deadline, "\n".join(self.said)
            return done()

        self._supervisor.tend_until(reached)

    def stop(self) -> None:
        self._supervisor.kill()


@pytest.fixture
def processes(world: World, tmp_path: Path) -> Iterator[Processes]:
    settings = {**os.environ, "DATABASE_URL": database_url(), **QUICK, "ROBSON_HTTP_TIMEOUT_S": "2"}
    running = Processes({**settings, **world.simulator.environment()}, tmp_path / "mark")
    yield running
    running.stop()


def state_of(row: Position | GuardedPosition) -> str:
    row.refresh_from_db()
    return row.state


def swept_until_closed(row: Position | GuardedPosition) -> Callable[[], bool]:
    """What beat and the default worker do, every 0.1 s instead of 2."""

    def closed() -> bool:
        tasks.sweep()
        return state_of(row) == "closed"

    return closed


def guarded(world: World, side: Side) -> GuardedPosition:
    """A position of the owner's, whose safety stop has been touched."""
    world.control.trade(side.entry_order, "0.01", symbol=SYMBOL)
    services.poll(world.account, world.desk)
    guard = GuardedPosition.objects.get()
    touch(world, side)
    guarding.remember_touch(guard, TOUCHED_AT[side], world.desk.clock())
    return guard


def touch(world: World, side: Side) -> None:
    if side is Side.LONG:
        world.give_base(COLLATERAL)
    world.control.price(SYMBOL, TOUCHED_AT[side])


def problems(world: World, side: Side, row: Position | GuardedPosition) -> list[str]:
    ledger = crash_judging.Ledger.of(world.control)
    of_row = crash_judging.of_guard if isinstance(row, GuardedPosition) else crash_judging.of_position
    record = crash_judging.of_record(world.account, ledger.executed("demo-key", side))
    return [*ledger.problems("demo-key"), *record, *of_row(row.pk)]


def follows() -> bool:
    beat = Heartbeat.objects.filter(name="consumer").first()
    return beat is not None and SYMBOL in beat.data["symbols"]


@pytest.mark.parametrize(
    ("point", "side"),
    [
        ("claim committed", Side.SHORT),
        ("answer on its way", Side.LONG),
        ("settled, before the commit", Side.SHORT),
    ],
)
def test_consumer_killed_in_an_exit_is_started_again_and_finishes_it(
    world: World, processes: Processes, point: str, side: Side
) -> None:
    position = world.enter(side)
    processes.start(processes.doomed(commands.consumer(), "core", point))
    until(follows)
    touch(world, side)
    processes.tend_until(lambda: state_of(position) == "closed")
    assert processes.mark.exists()
    assert any("consumer ended with code -9" in line for line in processes.said)
    assert problems(world, side, position) == []


@pytest.mark.parametrize(
    ("point", "side"), [("order left", Side.SHORT), ("settled, before the commit", Side.LONG)]
)
def test_worker_killed_in_a_safety_exit_leaves_it_to_the_next(
    world: World, processes: Processes, point: str, side: Side
) -> None:
    guard = guarded(world, side)
    processes.start(processes.doomed(commands.worker("exits", concurrency=1), "safety_net", point))
    assert exits.ask(guard.pk)
    processes.tend_until(swept_until_closed(guard))
    assert processes.mark.exists()
    assert "signal 9 (SIGKILL)" in logfiles.tail("worker-exits", lines=400)
    assert problems(world, side, guard) == []


def test_worker_killed_with_the_operators_order_leaves_it_to_the_next(
    world: World, processes: Processes
) -> None:
    position = world.enter(Side.SHORT)
    worker = commands.worker("exits", concurrency=1)
    processes.start(processes.doomed(worker, "operator", "answer on its way"))
    intent = operations.close_now(position=position, reason="enough", by="owner")
    assert operations.hand_over([intent]).ours == ()
    processes.tend_until(swept_until_closed(position))
    assert processes.mark.exists()
    assert problems(world, Side.SHORT, position) == []


def test_panic_killed_once_it_has_committed_is_finished_by_a_worker(
    world: World, processes: Processes
) -> None:
    position = world.enter()
    world.give_base(COLLATERAL)
    panic = ("manage.py", "panic", "--yes", "--close", str(position.pk))
    command = [sys.executable, *processes.crashing("operator", "claim committed", *panic)]
    killed = subprocess.run(command, cwd=PROJECT, env=processes.environment, timeout=60, check=False)
    assert killed.returncode == crash_judging.SIGKILLED
    assert world.orders("SELL") == []
    processes.start(commands.worker("exits", concurrency=1))
    processes.tend_until(swept_until_closed(position))
    assert problems(world, Side.LONG, position) == []
