"""What docker-compose.yml starts does start, migrates, and passes its own health checks."""

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from robson.local import commands, logfiles, paths
from robson.local.commands import Service
from robson.local.ports import free_port
from robson.local.simulator import SimulatorProcess
from robson.local.supervisor import Supervisor
from tests.containers.compose import OWN, resolved, services

pytestmark = pytest.mark.processes
_DEADLINE_S = 90.0
_VALUES = dict.fromkeys(("POSTGRES_PASSWORD", "REDIS_PASSWORD", "ROBSON_SECRET_KEY"), "value")


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database without a single table."""
    server = os.environ["DATABASE_URL"]
    name = f"containers_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def values(database_url: str, simulator: SimulatorProcess, tmp_path: Path) -> dict[str, str]:
    """What differs from a container: addresses, and the folder of the counters."""
    return {
        **simulator.environment(),
        "DATABASE_URL": database_url,
        "REDIS_URL": os.environ["REDIS_URL"],
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        # Everything is given from outside, so nothing may be written here, nor can it be.
        "ROBSON_HOME": "/proc/robson",
        "HOSTNAME": socket.gethostname(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture
def ports() -> dict[str, str]:
    return {"8000": str(free_port(0)), "5555": str(free_port(0)), "0.0.0.0": "127.0.0.1"}  # noqa: S104 (what is replaced)


def _environment(service: dict[str, Any], values: dict[str, str]) -> dict[str, str]:
    given = {
        name: resolved(text, {**_VALUES, "FLOWER_BASIC_AUTH": "a:b"})
        for name, text in service["environment"].items()
    }
    return {**os.environ, **given, **values}


def _at(ports: dict[str, str], text: str) -> str:
    for written, actual in ports.items():
        text = text.replace(written, actual)
    return text


def _started_as(name: str, values: dict[str, str], ports: dict[str, str]) -> Service:
    arguments = tuple(_at(ports, argument) for argument in services()[name]["command"])
    known = {service.name: service for service in [*commands.trading_services(), commands.alarms()]}
    ready = (
        known[name].ready
        if name in known
        else f"http://127.0.0.1:{ports['8000' if name == 'web' else '5555']}/"
    )
    return Service(name, arguments, ready, environment=_environment(services()[name], values))


def _check(name: str, values: dict[str, str], ports: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kind, *test = services()[name]["healthcheck"]["test"]
    command = [_at(ports, resolved(part, {})) for part in test]
    if kind == "CMD-SHELL":
        command = ["sh", "-c", *command]
    environment = _environment(services()[name], values)
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=paths.PROJECT_DIR,
        timeout=60,
    )


def _manage(values: dict[str, str], *arguments: str) -> None:
    environment = _environment(services()["migrate"], values)
    subprocess.run(
        [sys.executable, *arguments], check=True, env=environment, cwd=paths.PROJECT_DIR, timeout=120
    )


def _logged(name: str) -> int:
    return logfiles.size(name) if logfiles.path(name).exists() else 0


def _is_json(line: str) -> bool:
    try:
        return bool({"time", "level", "logger", "process", "message"} <= json.loads(line).keys())
    except ValueError:
        return False


def test_every_process_starts_and_passes_its_health_check(
    values: dict[str, str], ports: dict[str, str], simulator: SimulatorProcess
) -> None:
    _manage(values, *services()["migrate"]["command"][1:])
    simulator.control.price("BTCUSDT", "50000")
    _manage(values, "manage.py", "arm", "BTCUSDT")
    supervisor, before = Supervisor({}), {name: _logged(name) for name in OWN}
    try:
        supervisor.start([_started_as(name, values, ports) for name in OWN])
        deadline = time.monotonic() + _DEADLINE_S
        for name in OWN:
            while (answer := _check(name, values, ports)).returncode != 0:
                supervisor.tend()
                assert time.monotonic() < deadline, f"{name}: {answer.stdout} {answer.stderr}"
        assert [process.service.name for process in supervisor.batches[0] if process.failures] == []
        for name in OWN:
            lines = logfiles.read_from(name, before[name]).decode().splitlines()
            # Flower has nothing to say while all is well.
            assert lines or name == "flower", name
            assert [line for line in lines if not _is_json(line)] == [], name
    finally:
        supervisor.stop()


def test_the_check_of_a_process_that_is_not_there_fails(
    values: dict[str, str], ports: dict[str, str]
) -> None:
    _manage(values, *services()["migrate"]["command"][1:])
    passing = [name for name in OWN if _check(name, values, ports).returncode == 0]
    assert passing == []
