"""Killed between any two steps, an exit is executed once and recorded once, whoever goes on with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests.faults import crash_arming
from tests.faults.crash_cases import Plan, Rehearsal
from tests.faults.crash_client import Lab
from tests.faults.crash_points import EVERYBODY, POINTS, Who
from tests.trading.support import trade_on
from trading.domain.types import Side

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, available_apps=["trading", "safetynet"]),
]


@pytest.fixture(scope="module")
def own_simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(name="simulator-crashes") as process:
        yield process


@pytest.fixture(scope="module")
def lab(own_simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    process = Lab(own_simulator, tmp_path_factory.mktemp("crashes") / "lab.log")
    yield process
    process.close()


@pytest.fixture
def rehearsal(
    own_simulator: SimulatorProcess,
    lab: Lab,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Rehearsal:
    own_simulator.control.reset()
    trade_on(own_simulator, settings, monkeypatch)
    return Rehearsal(own_simulator.control, lab, tmp_path)


def test_every_point_is_a_place_in_the_code() -> None:
    for row in POINTS.values():
        for point in row.values():
            crash_arming.resolve(point.at)
            if point.since:
                crash_arming.resolve(point.since)


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("side", list(Side))
def test_killed_at_any_point_and_started_again_it_exits_once(
    rehearsal: Rehearsal, who: Who, side: Side
) -> None:
    assert rehearsal.problems([Plan(who, side, (point,)) for point in POINTS]) == {}
