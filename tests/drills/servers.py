"""The stage's own PostgreSQL and Redis, which can be killed, made to hang, and started again."""

import contextlib
import shutil
from collections.abc import Callable

import psutil
from django.db import connection

from robson.local import children, paths, postgres, redis

_GONE_WITHIN_S = 10.0


class Server:
    """One of the two, with all of its processes."""

    def __init__(self, pid: Callable[[], int | None], start: Callable[[], None]) -> None:
        self._pid = pid
        self._start = start
        # One that hangs cannot be asked for its number.
        self._hanging: list[psutil.Process] = []

    def kill(self) -> None:
        """Gone, by SIGKILL, without a word to anybody."""
        found = self._hanging or self._processes()
        self._hanging = []
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=_GONE_WITHIN_S)
        children.reap_servers()

    def hang(self) -> None:
        """From now on it is there and answers nothing (SIGSTOP), until `start`."""
        self._hanging = self._processes()
        for process in self._hanging:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def start(self) -> None:
        """Up and answering, whatever it was before."""
        for process in self._hanging:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._hanging = []
        self._start()
        # This thread's own connection may have been to the server that was killed.
        connection.close()

    def _processes(self) -> list[psutil.Process]:
        number = self._pid()
        if number is None:
            return []
        first = psutil.Process(number)
        return [first, *first.children(recursive=True)]


def database() -> Server:
    return Server(postgres.pid, postgres.start)


def broker() -> Server:
    return Server(redis.pid, redis.start)


def forget_what_redis_kept() -> None:
    """Redis is down: when it comes back it knows nothing."""
    shutil.rmtree(paths.data_dir() / "redis" / "appendonlydir", ignore_errors=True)
