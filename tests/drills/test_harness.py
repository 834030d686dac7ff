"""The harness itself: it tells when a drill fails, and no row of the drills is forgotten."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from robson.local import paths
from tests.drills import registry

CONTROLS = ("a-position-that-nobody-watches-is-told", "a-second-exit-is-told")


def test_every_row_is_drilled_or_declared_not_applicable() -> None:
    drilled = {each.row for each in registry.load()}
    declared = {int(row) for row in registry.NOT_APPLICABLE if row.isdigit()}
    assert drilled | declared == set(registry.ROWS)
    assert not drilled & declared
    assert all(registry.NOT_APPLICABLE.values())


def test_each_drill_says_what_it_breaks_and_what_it_shows() -> None:
    for each in registry.load():
        assert each.broke, each.name
        assert each.shows.endswith("."), each.name


@pytest.mark.processes
def test_a_drill_that_fails_is_told_and_ends_the_run_with_an_error(tmp_path: Path) -> None:
    """On a real stage: once what did not happen is told by the drill, once by the exchange's ledger."""
    file = tmp_path / "drills.json"
    done = _drills(
        "--controls", "--only", ",".join(CONTROLS), "--lanes", "2", "--json", str(file), home=tmp_path
    )
    assert done.returncode == 1, done.stdout
    report = json.loads(file.read_text())
    assert report["passed"] is False
    unwatched, twice = (_of(report, name) for name in CONTROLS)
    assert "is closed" in unwatched["wrong"][0][0]
    assert Path(unwatched["logs"], "simulator.log").exists()
    assert twice["violations"] == 2
    assert "no violation in the exchange's ledger" in dict(twice["wrong"])
    for told in ("expected  no violation", "seen      {'kind': 'double_exit'", "0 of 2 drills passed"):
        assert told in done.stdout


def test_a_drill_that_does_not_exist_is_no_success(tmp_path: Path) -> None:
    done = _drills("--only", "no-such-drill", home=tmp_path)
    assert done.returncode == 2
    assert "no drill is called no-such-drill" in done.stdout


def _of(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in report["drills"] if one["name"] == name)
    return found


def _drills(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.drills", *arguments],
        cwd=paths.PROJECT_DIR,
        env={**os.environ, "ROBSON_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
