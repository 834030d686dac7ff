"""A place for the demo that nothing else uses: database, broker, folder, processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from robson.local import commands, paths
from robson.local.ports import free_port
from robson.local.simulator import Control, Simulator
from robson.local.supervisor import Supervisor

DATABASE = "robson_demo"
REDIS_DATABASE = "/9"


class CommandFailed(Exception):
    """A command of the owner's ended with an error."""


@dataclass(frozen=True)
class Stage:
    """The running system. `tend` passes the processes' log lines on and must be called while waiting.

    What is done to it is done by `owner`'s commands: this process itself counts elsewhere.
    """

    exchange: Control
    tend: Callable[[], None]
    metrics_url: str
    environment: Mapping[str, str]

    def owner(self, *command: str) -> None:
        """What the owner would type after `robson`. Raises CommandFailed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=paths.PROJECT_DIR,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"robson {' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def running(say: Callable[[str], None], log: Callable[[str], None]) -> Iterator[Stage]:
    """Everything up against a fresh simulated exchange; everything down again at the end."""
    with _own_database(), _own_folder():
        simulator, web = Simulator(free_port(8901)), free_port(8001)
        environment = {**os.environ, **_environment(simulator)}
        os.environ.update(simulator.environment())
        settings.BINANCE = {name: environment[name] for name in settings.BINANCE}
        supervisor = Supervisor(environment, log)
        try:
            supervisor.start([commands.simulated_exchange(port=simulator.port, feed="manual")])
            supervisor.start([*commands.trading_services(), commands.web(port=web)])
            names = ", ".join(service.name for service in commands.trading_services())
            say(f"services up: PostgreSQL, Redis, simulator, web, {names}")
            metrics_url = f"http://127.0.0.1:{web}/metrics"
            yield Stage(Control(simulator.url), supervisor.tend, metrics_url, environment)
        finally:
            supervisor.stop()


@contextmanager
def _own_folder() -> Iterator[None]:
    """Logs and metrics of this run only. Afterwards the local servers are found where they were before."""
    home, folder = str(paths.data_dir()), paths.private_dir("demo")
    for name in ("logs", "metrics"):
        shutil.rmtree(folder / name, ignore_errors=True)
    os.environ["ROBSON_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ["ROBSON_HOME"] = home


@contextmanager
def _own_database() -> Iterator[None]:
    """A database for this run only, made the way Django makes one for tests, and an emptied Redis."""
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    call_command("migrate", interactive=False, verbosity=0)
    redis.Redis.from_url(_redis_url()).flushdb()
    try:
        yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


def _environment(simulator: Simulator) -> dict[str, str]:
    return {
        **simulator.environment(),
        "DATABASE_URL": _with_path(os.environ["DATABASE_URL"], f"/{DATABASE}"),
        "REDIS_URL": _redis_url(),
        "ROBSON_SECRET_KEY": settings.SECRET_KEY,
        "PROMETHEUS_MULTIPROC_DIR": str(paths.private_dir("metrics")),
    }


def _redis_url() -> str:
    return _with_path(os.environ["REDIS_URL"], REDIS_DATABASE)


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=path))
