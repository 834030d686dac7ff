"""Keeps a set of processes up: starts it in order, restarts what dies, stops in reverse order."""

import itertools
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from robson.local import children, logfiles
from robson.local.commands import Service

_POLL_S = 0.1
# A log level may hide the line that a process is recognised by; one that lives this long has started.
_SETTLED_S = 15.0
_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 30.0
_HEALTHY_AFTER_S = 60.0
# Each task received and each task done: in the log files, but not on the console.
_ROUTINE = re.compile(r' INFO +celery\.|"INFO", "logger": "celery\.')


class StartError(RuntimeError):
    """A process did not start. The text ends with its log."""


def backoff_s(failures: int) -> float:
    """Seconds to wait before a restart: doubling from one second to half a minute."""
    return float(min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(failures - 1, 10)))


@dataclass
class Running:
    """One supervised process and what is known of it. Times are monotonic seconds."""

    service: Service
    child: subprocess.Popen[bytes]
    offset: int
    started: float
    failures: int = 0
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Use from the main thread: children are tied to the thread that starts them."""

    environment: Mapping[str, str]
    say: Callable[[str], None] = print
    batches: list[list[Running]] = field(default_factory=list)

    def start(self, services: Sequence[Service]) -> None:
        """Start these together and wait until each is ready.

        Raises StartError when one ends or stays silent; nothing is left running then.
        """
        batch: list[Running] = []
        self.batches.append(batch)
        try:
            batch.extend(self._launch(service) for service in services)
            for process in batch:
                self._wait_until_ready(process)
        except BaseException:
            self.stop()
            raise

    def tend(self) -> None:
        """Pass on what was logged, and start again what has died. Call it a few times a second."""
        for process in itertools.chain.from_iterable(self.batches):
            self._pass_on_log(process)
            if process.child.poll() is not None:
                self._revive(process)

    def tend_until(self, finished: Callable[[], bool]) -> None:
        """Tend until told otherwise, or until an exception such as KeyboardInterrupt ends it."""
        while not finished():
            self.tend()
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop everything, what was started last first. A second Ctrl-C in here ends the rest by force."""
        try:
            while self.batches:
                batch = self.batches[-1]
                for process in reversed(batch):
                    children.terminate(process.child)
                for process in reversed(batch):
                    self._end(process)
                self.batches.pop()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End everything by force, now."""
        for process in itertools.chain.from_iterable(self.batches):
            children.kill(process.child)
            self._pass_on_log(process)
        self.batches.clear()

    def _launch(self, service: Service) -> Running:
        environment = {**self.environment, "PYTHONUNBUFFERED": "1", **service.environment}
        with logfiles.append(service.name) as log:
            offset = log.tell()
            child = children.spawn(service.command(), log=log, env=environment)
        return Running(service, child, offset, time.monotonic())

    def _wait_until_ready(self, process: Running) -> None:
        while not _is_ready(process):
            age = time.monotonic() - process.started
            if process.child.poll() is not None:
                tail = logfiles.tail(process.service.name)
                raise StartError(
                    f"{process.service.name} ended with code {process.child.returncode}.\n{tail}"
                )
            if age > _SETTLED_S:
                self.say(f"{process.service.name} has not said that it is ready, and goes on")
                return
            time.sleep(_POLL_S)
        process.offset = logfiles.size(process.service.name)

    def _revive(self, process: Running) -> None:
        now = time.monotonic()
        if process.restart_at is None:
            lasted = now - process.started
            process.failures = 1 if lasted > _HEALTHY_AFTER_S else process.failures + 1
            process.restart_at = now + backoff_s(process.failures)
            self.say(
                f"{process.service.name} ended with code {process.child.returncode}: "
                f"starting it again in {backoff_s(process.failures):.0f} s"
            )
        elif now >= process.restart_at:
            children.kill(process.child)
            fresh = self._launch(process.service)
            process.child, process.started, process.restart_at = fresh.child, fresh.started, None

    def _end(self, process: Running) -> None:
        if not children.see_off(process.child, grace_s=process.service.grace_s):
            self.say(f"{process.service.name} did not stop in {process.service.grace_s:.0f} s and was killed")
        self._pass_on_log(process)

    def _pass_on_log(self, process: Running) -> None:
        name = process.service.name
        text, process.offset = logfiles.complete_lines(name, process.offset)
        for line in text.splitlines():
            if not _ROUTINE.search(line):
                self.say(f"{name:<17} | {line}")
        logfiles.shorten(name)


def _is_ready(process: Running) -> bool:
    ready = process.service.ready
    if not ready.startswith("http"):
        return ready.encode() in logfiles.read_from(process.service.name, process.offset)
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(ready, timeout=1, allow_redirects=False)
            return answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    except requests.RequestException:
        return False
