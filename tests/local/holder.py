"""A process that needs servers, seen from outside: what it got, and how it may end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil

from robson.local import paths

_PROGRAM = """
import json, os, sys
from robson.local import postgres, redis, servers
with servers.running():
    urls = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    print(json.dumps({**urls, "postgres": postgres.pid(), "redis": redis.pid()}), flush=True)
    sys.stdin.read()
"""


class Holder:
    """Uses the servers of a data folder until it is told to finish, or killed."""

    def __init__(self, home: Path, *, prefix: Sequence[str] = ()) -> None:
        self.home = home
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=paths.PROJECT_DIR,
            env=environment(home),
        )

    def wait_until_up(self) -> Self:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        answer = json.loads(line)
        self.database_url: str = answer["DATABASE_URL"]
        self.redis_url: str = answer["REDIS_URL"]
        self.postgres: int = answer["postgres"]
        self.redis: int = answer["redis"]
        return self

    def finish(self) -> str:
        """End it as a command ends. Returns what it wrote to stderr."""
        _, errors = self._process.communicate()
        assert self._process.returncode == 0, errors
        return errors

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


def environment(home: Path) -> dict[str, str]:
    """The environment of a newcomer: no servers of his own."""
    unwanted = {"DATABASE_URL", "REDIS_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**inherited, "ROBSON_HOME": str(home)}


def servers_of(home: Path) -> list[psutil.Process]:
    """Every process that works in a data folder, wherever PostgreSQL's data was placed."""
    places = {str((home / "postgres").resolve() / "data-18"), str(home / "redis")}
    return [process for process in psutil.process_iter() if _folder(process) in places]


def kill_servers_of(home: Path) -> None:
    left = servers_of(home)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)


def _folder(process: psutil.Process) -> str | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else process.cwd()
    except psutil.Error:
        return None
