"""The `robson` command: its help, its exit codes, and no traceback for what can be expected."""

import subprocess
import sys

import pytest

from robson.cli import OWNER_COMMANDS
from tests import factories
from tests.trading.support import Outcome, run
from trading.domain.lifecycle import PositionState

pytestmark = pytest.mark.django_db(transaction=True)


def calm(outcome: Outcome) -> bool:
    return "Traceback" not in outcome.err + outcome.out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_help_lists_the_owners_commands_and_nothing_else(arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 0
    assert all(f"robson {name}" in outcome.out for name in OWNER_COMMANDS)
    assert "makemigrations" not in outcome.out


def test_help_keeps_nobody_waiting_for_what_it_does_not_need() -> None:
    program = "import sys; from robson.cli import main; main(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"django", "celery", "redis", "psycopg", "requests", "binance", "rich"}


def test_an_unknown_command_exits_2_and_suggests_the_nearest() -> None:
    outcome = run("postions")
    assert outcome.code == 2
    assert "Did you mean `robson positions`?" in outcome.err


def test_a_command_without_its_argument_exits_2_with_its_usage() -> None:
    outcome = run("arm")
    assert outcome.code == 2
    assert "symbol" in outcome.err


def test_a_read_exits_0_and_keeps_stderr_empty() -> None:
    factories.core_position(state=PositionState.ARMED)
    outcome = run("positions")
    assert (outcome.code, outcome.err) == (0, "")
    assert "waiting for a crossover" in outcome.out


def test_manage_py_runs_the_same_commands() -> None:
    outcome = run("positions", "--json", program="manage")
    assert (outcome.code, outcome.out.strip()) == (0, "[]")


def test_a_refusal_exits_1_with_the_reason_on_stderr() -> None:
    factories.account()
    outcome = run("disarm", "BTCUSDT")
    assert (outcome.code, outcome.out) == (1, "")
    assert "nothing is armed in BTCUSDT" in outcome.err.replace("Nothing", "nothing")
    assert calm(outcome)


def test_a_database_that_is_away_is_told_in_a_sentence() -> None:
    outcome = run("positions", environment={"DATABASE_URL": "postgresql://robson@127.0.0.1:9/robson"})
    assert outcome.code == 1
    assert "database does not answer" in outcome.err
    assert calm(outcome)


def test_live_hosts_without_permission_are_refused_before_anything_happens() -> None:
    factories.account()
    outcome = run("arm", "BTCUSDT", environment={"BINANCE_API_KEY": "k", "BINANCE_API_SECRET": "s"})
    assert outcome.code == 1
    assert "ROBSON_LIVE=1" in outcome.err
    assert calm(outcome)


def test_a_bad_setting_is_named() -> None:
    outcome = run("positions", environment={"ROBSON_LIVE": "perhaps"})
    assert outcome.code == 1
    assert "ROBSON_LIVE must be 1 or 0" in outcome.err
    assert calm(outcome)
