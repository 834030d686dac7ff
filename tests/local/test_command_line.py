"""`manage.py` brings servers along, and takes them away again."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from robson.local import paths
from tests.local.holder import Holder, environment, servers_of

_DEADLINE_S = 90.0
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """Start `manage.py` as a newcomer does, without servers of his own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", *arguments]
        process = subprocess.Popen(
            command,
            cwd=paths.PROJECT_DIR,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_command_finds_a_database_and_leaves_no_server_behind(home: Path, run: Run) -> None:
    process = run("showmigrations", "contenttypes")
    output, errors = process.communicate(timeout=_DEADLINE_S)
    assert (process.returncode, "0001_initial" in output) == (0, True), errors
    assert servers_of(home) == []


def test_a_command_leaves_servers_to_those_who_use_them(
    home: Path, run: Run, hold: Callable[[], Holder]
) -> None:
    holder = hold().wait_until_up()
    assert run("showmigrations", "contenttypes").wait(_DEADLINE_S) == 0
    assert psutil.pid_exists(holder.postgres)


def test_help_starts_no_server(home: Path, run: Run) -> None:
    log = home / "logs/postgres.log"
    before = log.stat().st_size
    assert run("migrate", "--help").wait(_DEADLINE_S) == 0
    assert log.stat().st_size == before


def test_the_doctor_looks_at_what_is_there_and_starts_nothing(home: Path, run: Run) -> None:
    process = run("doctor", "--json")
    output, errors = process.communicate(timeout=_DEADLINE_S)
    verdicts = {one["name"]: one["verdict"] for one in json.loads(output)["findings"]}
    assert (process.returncode, verdicts["database"], verdicts["redis"]) == (1, "failed", "failed"), errors
    assert servers_of(home) == []


def test_a_command_that_is_terminated_takes_its_servers_along(home: Path, run: Run) -> None:
    process = run("shell", "-c", "import time; print('up', flush=True); time.sleep(60)")
    assert process.stdout is not None
    while process.stdout.readline() != "up\n":
        assert process.poll() is None
    process.terminate()
    process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert servers_of(home) == []


@pytest.mark.processes
def test_make_run_serves_and_ctrl_c_stops_all_of_it(home: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        process = run("runlocal", "--json", "--no-flower", "--web-port", str(busy))
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
    assert requests.get(f"{ready['dashboard']}healthz", timeout=10).json() == {"alive": True}
    tree = psutil.Process(process.pid).children(recursive=True)
    assert [child.cmdline() for child in tree if child.memory_info().rss > 200 * 2**20] == []
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=_DEADLINE_S)
    assert process.returncode == 0, errors
    assert f"port {busy} is in use" in errors
    assert psutil.wait_procs(tree, timeout=5)[1] == []
    assert servers_of(home) == []
