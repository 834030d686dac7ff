"""Tests in a fork of the process that has everything ready: servers, simulator, imported code."""

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection

import pytest
import requests
from django.db import connections

Line = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ran:
    """One test that has run; `why` it failed. `executed` is told if somebody watches."""

    test: str
    why: str
    seconds: float
    executed: frozenset[Line] = frozenset()

    @property
    def passed(self) -> bool:
        return not self.why


@dataclass(frozen=True, slots=True)
class Stuck:
    """The test took too long, or took the process with it; `how` says which."""

    test: str
    how: str


class Fork:
    """Tests with `prepare`d code. `last` is one of another module, for which what they share is kept up."""

    def __init__(
        self, session: pytest.Session, last: pytest.Item, prepare: Callable[[set[Line]], None]
    ) -> None:
        self._session, self._last, self._prepare = session, last, prepare

    def run(
        self, items: Sequence[pytest.Item], patience: Callable[[str], float], *, to_the_end: bool = False
    ) -> Iterator[Ran | Stuck]:
        """Run them one after the other, until one fails if not `to_the_end`."""
        let_go()
        here, there = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=self._child, args=(items, there, to_the_end), daemon=False
        )
        process.start()
        there.close()
        stuck: list[Stuck] = []
        try:
            for item in items:
                ran = _answer(here, item.nodeid, patience(item.nodeid))
                if isinstance(ran, Stuck):
                    stuck.append(ran)
                    break
                yield ran
                if not (ran.passed or to_the_end):
                    break
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()
            here.close()
        # Told when it is gone, with its connections.
        yield from stuck

    def _child(self, items: Sequence[pytest.Item], pipe: Connection, to_the_end: bool) -> None:
        os.setsid()
        reports = _Reports()
        plugins = self._session.config.pluginmanager
        plugins.unregister(name="terminalreporter")
        plugins.register(reports)
        executed: set[Line] = set()
        self._prepare(executed)
        for item, following in pairwise([*items, self._last]):
            executed.clear()
            reports.start()
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            pipe.send(Ran(item.nodeid, reports.why, reports.seconds, frozenset(executed)))
            if reports.why and not to_the_end:
                break
        pipe.close()
        os._exit(0)


def _answer(pipe: Connection, test: str, patience_s: float) -> Ran | Stuck:
    try:
        answer: Ran | Stuck = pipe.recv() if pipe.poll(patience_s) else Stuck(test, "time-out")
    except EOFError:
        return Stuck(test, "crash")
    return answer


class _Reports:
    """What pytest says about one test."""

    def start(self) -> None:
        self.why, self.seconds = "", 0.0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.why = self.why or report.longreprtext or "failed"
        self.seconds += report.duration


def let_go() -> None:
    """Close what a fork must not share with its parent."""
    connections.close_all()
    for found in gc.get_objects():
        if issubclass(type(found), requests.Session):
            found.close()
