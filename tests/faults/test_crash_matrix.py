"""Killed between any two steps, an exit is executed once and recorded once, whoever goes on with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests.faults import crash_arming
from tests.faults.crash_cases import Plan, Rehearsal
from tests.faults.crash_client import Lab
from tests.faults.crash_judging import Ledger
from tests.faults.crash_points import EVERYBODY, POINTS, SECOND, Who
from tests.trading.support import trade_on
from tests.trading.world import until
from trading.domain.types import Side

# What a dead process can leave behind for others to find: each state of the database and of the exchange.
FOR_GOOD = (
    "before the claim",
    "claim committed",
    "taken",
    "order left",
    "answer on its way",
    "settled, before the commit",
    "record committed",
    "answer lost: unknown",
    "order lost: given up",
    "partly filled: rest pending",
)
LEFT_BEHIND = {
    "before the order": (
        "before looking up",
        "looked up",
        "given up, before the commit",
        "given up",
        "before sending again",
        "second answer on its way",
    ),
    "answer on its way": ("before looking up", "looked up", "found, before the commit", "found"),
}

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


def exited_twice(rehearsal: Rehearsal) -> int:
    """How many cells closed a position that was closed already."""
    ledger = Ledger.of(rehearsal.control)
    return sum("double_exit" in ledger.violations(f"cell-{number}") for number in range(len(EVERYBODY)))


def test_every_point_is_a_place_in_the_code() -> None:
    for row in (POINTS | SECOND).values():
        for point in row.values():
            crash_arming.resolve(point.at)
            if point.since:
                crash_arming.resolve(point.since)


def test_point_that_is_not_reached_is_told_and_does_not_pass(rehearsal: Rehearsal) -> None:
    (problems,) = rehearsal.problems([Plan("core", Side.LONG, ("given up",))]).values()
    assert problems == ["ended with [0] instead of dying at its points, which were reached: [False]"]


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("side", list(Side))
def test_killed_at_any_point_and_started_again_it_exits_once(
    rehearsal: Rehearsal, who: Who, side: Side
) -> None:
    assert rehearsal.problems([Plan(who, side, (point,)) for point in POINTS]) == {}


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("side", list(Side))
def test_killed_for_good_the_others_finish_its_exit(rehearsal: Rehearsal, who: Who, side: Side) -> None:
    plans = [Plan(who, side, (point,)) for point in FOR_GOOD]
    assert rehearsal.problems(plans, successor="others") == {}


@pytest.mark.parametrize("side", list(Side))
def test_killed_again_while_it_goes_on_with_what_was_left_behind_it_exits_once(
    rehearsal: Rehearsal, side: Side
) -> None:
    plans = [
        Plan(who, side, (first, second))
        for who in EVERYBODY
        for first, seconds in LEFT_BEHIND.items()
        for second in seconds
    ]
    assert rehearsal.problems(plans) == {}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("trouble", ["order late", "order too late"])
def test_order_that_arrives_after_its_sender_died_is_found_or_refused(
    rehearsal: Rehearsal, side: Side, trouble: str
) -> None:
    plans = [Plan(who, side, ("order left",), trouble) for who in EVERYBODY]
    assert rehearsal.problems(plans) == {}


@pytest.mark.parametrize(
    ("without", "side", "killed", "trouble"),
    [
        # A short that is bought back already has no debt left that a second order would pay.
        ("the look-ups", Side.LONG, "answer on its way", ""),
        ("the time", Side.LONG, "order left", "order very late"),
        ("the time", Side.SHORT, "order left", "order very late"),
    ],
)
def test_control_without_its_protection_a_crash_exits_twice(
    rehearsal: Rehearsal, without: str, side: Side, killed: str, trouble: str
) -> None:
    rehearsal.problems([Plan(who, side, (killed,), trouble) for who in EVERYBODY], without=without)
    until(lambda: exited_twice(rehearsal) == len(EVERYBODY))
