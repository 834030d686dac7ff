"""What tests of the desk share: settings that name the simulator, and a shell command with its outcome."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests.live import database_url

PROJECT = Path(__file__).resolve().parents[2]


def trade_on(simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point this process at the simulator, with its keys."""
    environment = simulator.environment()
    settings.BINANCE = {name: value for name, value in environment.items() if name.endswith("_URL")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True)
class Outcome:
    """How a process ended."""

    code: int
    out: str
    err: str


def run(
    *arguments: str, environment: Mapping[str, str] | None = None, program: str = "robson", answer: str = ""
) -> Outcome:
    """Run the `robson` command, or manage.py, in a process of its own."""
    start = {
        "robson": [sys.executable, "-c", "from robson.cli import main; main()"],
        "manage": [sys.executable, "manage.py"],
    }
    done = subprocess.run(
        [*start[program], *arguments],
        cwd=PROJECT,
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "COLUMNS": "120",
            **(environment or {}),
        },
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
