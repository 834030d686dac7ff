"""All checks together: none holds the others up, and what is away is told once."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError

from robson.doctor.examination import CHECKS, examine
from robson.doctor.findings import Check, Finding, failed, ok, warning
from robson.local.simulator import SimulatorProcess
from robson.management.commands.doctor import Command
from tests import factories
from tests.doctor.support import FAILED, OK, SKIPPED
from tests.live import database_url
from tests.trading.support import PROJECT

WELL = Check("well", lambda: [ok("well", "fine")])
SICK = Check("sick", lambda: [failed("sick", "broken", "Mend it.")])
SO_SO = Check("so so", lambda: [warning("so so", "odd", "Look at it.")])


def away() -> Sequence[Finding]:
    raise OperationalError("gone")


def examined(*checks: Check, within_s: float = 5.0) -> dict[str, Finding]:
    return {one.name: one for one in examine(checks, within_s=within_s, told=lambda *_: None)}


def doctor(*checks: Check, **options: bool) -> tuple[str, int]:
    """What the command prints, and its exit code."""
    out, command = StringIO(), Command()
    command.checks = checks
    try:
        call_command(command, stdout=out, **options)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def test_a_check_that_hangs_is_a_failure_and_holds_no_other_up() -> None:
    release = threading.Event()
    started = time.monotonic()
    found = examined(Check("stuck", lambda: [ok("stuck", str(release.wait(30)))]), WELL, within_s=0.4)
    release.set()
    assert time.monotonic() - started < 2
    assert (found["stuck"].verdict, found["well"].verdict) == (FAILED, OK)
    assert "no answer within" in found["stuck"].detail


def test_a_check_that_breaks_is_a_failure_that_asks_to_be_reported() -> None:
    found = examined(Check("odd", lambda: [ok("odd", str(1 // 0))]), WELL)
    assert found["odd"].verdict == FAILED
    assert "ZeroDivisionError" in found["odd"].detail
    assert found["well"].verdict == OK


def test_what_cannot_be_told_because_something_else_failed_is_skipped() -> None:
    found = examined(SICK, Check("rows", away, needs=("sick",)))
    assert (found["rows"].verdict, found["rows"].detail) == (SKIPPED, "cannot be told: sick failed")


def test_what_cannot_be_told_although_all_it_needs_is_well_is_a_failure() -> None:
    found = examined(WELL, Check("rows", away, needs=("well",)))
    assert (found["rows"].verdict, "gone" in found["rows"].detail) == (FAILED, True)


def test_a_failure_of_its_own_is_told_whatever_else_failed() -> None:
    found = examined(SICK, Check("other", lambda: [failed("other", "bad", "Do.")], needs=("sick",)))
    assert found["other"].verdict == FAILED


def test_it_hears_how_far_it_is() -> None:
    release, heard = threading.Event(), list[tuple[int, int]]()

    def told(done: int, total: int) -> None:
        heard.append((done, total))
        release.set()

    examine([WELL, Check("slow", lambda: [ok("slow", str(release.wait(10)))])], told=told)
    assert heard[0][1] == 2
    assert heard[0][0] < 2


def test_the_exit_code_is_0_with_warnings_and_1_with_a_failure() -> None:
    assert doctor(WELL, SO_SO)[1] == 0
    assert doctor(WELL, SO_SO, SICK)[1] == 1


def test_the_text_ends_with_what_to_do_and_the_worst_last() -> None:
    text, _ = doctor(SICK, SO_SO, WELL)
    assert text.index("Look at it.") < text.index("Mend it.")
    assert text.rstrip().endswith("1 ok, 1 warning, 1 failed.")


def test_json_is_all_there_is_on_stdout() -> None:
    text, code = doctor(WELL, SICK, json=True)
    told = json.loads(text)
    assert (code, told["healthy"], told["counts"]["failed"]) == (1, False, 1)
    assert told["findings"][1] == {
        "name": "sick",
        "verdict": "failed",
        "detail": "broken",
        "advice": "Mend it.",
    }


def test_names_in_needs_are_names_of_checks() -> None:
    names = {check.name for check in CHECKS}
    assert {need for check in CHECKS for need in check.needs} <= names


NOWHERE = {
    "database": {"DATABASE_URL": "postgresql://robson@127.0.0.1:9/robson"},
    "redis": {"REDIS_URL": "redis://127.0.0.1:9/1"},
    "exchange": {
        "BINANCE_API_URL": "http://127.0.0.1:9",
        "BINANCE_STREAM_URL": "ws://127.0.0.1:9",
        "BINANCE_WS_API_URL": "ws://127.0.0.1:9/ws-api/v3",
    },
    "keys:main": {"BINANCE_API_KEY": "", "BINANCE_API_SECRET": ""},
}


@pytest.mark.django_db(transaction=True)
def test_whatever_is_away_alone_or_together_is_told_and_the_rest_is_examined(
    simulator: SimulatorProcess,
) -> None:
    factories.account()
    usual = {**os.environ, **simulator.environment(), "DATABASE_URL": database_url()}
    everything = {name: value for changes in NOWHERE.values() for name, value in changes.items()}
    cases: dict[tuple[str, ...], dict[str, str]] = {(name,): changes for name, changes in NOWHERE.items()}
    cases[tuple(NOWHERE)] = everything
    started = {missing: _start({**usual, **changes}) for missing, changes in cases.items()}
    for missing, process in started.items():
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in errors) == (1, False), errors
        verdicts = {one["name"]: one["verdict"] for one in json.loads(out)["findings"]}
        assert {name for name in NOWHERE if verdicts[name] == "failed"} == set(missing), verdicts
        assert verdicts["disk"] == verdicts["hosts"] == "ok"
        assert len(verdicts) >= len(CHECKS)


def _start(environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", "from robson.cli import main; main()", "doctor", "--json"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
