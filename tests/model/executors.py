"""Executors that can be put to sleep, killed, or cut off from their commit, at any call and any commit.

Each is a thread with a database session of its own, and only one of them runs at a time: whoever starts one
waits until it has finished or fallen asleep. So every interleaving is chosen, and can be repeated.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Any

from django.db import OperationalError, connection

from trading import at_once

Work = Callable[[], object]
NEVER_READ = -1.0


class Point(StrEnum):
    """Where an executor can be stopped."""

    ASKS = "asks"
    """Before a question or an order reaches the exchange."""
    ANSWERED = "answered"
    """The exchange has done it, and its answer has not been read."""
    COMMITS = "commits"
    """Before a commit. Nobody sleeps here: what others wait for would be locked."""
    COMMITTED = "committed"
    """The commit is done, and whoever asked for it does not know yet."""


class Fate(StrEnum):
    SLEEPS = "sleeps"
    DIES = "dies"
    LOSES_COMMIT = "loses commit"
    """The connection to the database breaks at a commit, before or after it is done."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What happens to an executor at the `nth` point (from 1) at which it can happen."""

    nth: int
    fate: Fate

    def concerns(self, point: Point) -> bool:
        if self.fate is Fate.SLEEPS:
            return point is not Point.COMMITS
        return self.fate is Fate.DIES or point in {Point.COMMITS, Point.COMMITTED}


class Killed(BaseException):
    """The process ends here: nothing that it would have done afterwards is done."""


class CommitLost(OperationalError):
    """What the driver says when the server goes away at a commit: whether it is done, nobody knows."""


class Executor:
    """One process of Robson's. `asleep` while it is in the middle of something."""

    def __init__(self) -> None:
        self._orders: SimpleQueue[tuple[Work | None, Cut | None]] = SimpleQueue()
        self._reports: SimpleQueue[BaseException | None] = SimpleQueue()
        self._cut: Cut | None = None
        self._passed = 0
        self.asleep = False
        self.reading_lasts_until_ms = NEVER_READ
        """It has read what is held, for an order that it may still send until then."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin(self, work: Work, cut: Cut | None = None) -> BaseException | None:
        """Work until it is done or until the cut. Returns what ended it, `Killed` included."""
        assert not self.asleep
        return self._go(work, cut)

    def wake(self, cut: Cut | None = None) -> BaseException | None:
        """Go on from where it fell asleep."""
        assert self.asleep
        return self._go(None, cut)

    def kill(self) -> None:
        """It never wakes up."""
        if self.asleep:
            self.wake(Cut(0, Fate.DIES))

    def stop(self) -> None:
        """End the thread."""
        self.kill()
        self._orders.put((None, None))
        self._thread.join(10)

    def _go(self, work: Work | None, cut: Cut | None) -> BaseException | None:
        self.asleep = False
        self._orders.put((work, cut))
        return self._reports.get()

    def _run(self) -> None:
        _here.executor = self
        while True:
            work, self._cut = self._orders.get()
            if work is None:
                connection.close()
                return
            self._passed = 0
            self._reports.put(self._outcome(work))

    def _outcome(self, work: Work) -> BaseException | None:
        try:
            work()
        except BaseException as ended:  # noqa: BLE001  # whatever it was is for the model to judge
            _lose_everything()
            return ended
        finally:
            self.reading_lasts_until_ms = NEVER_READ
        return None

    def reached(self, point: Point) -> None:
        """The executor's own thread is at a point: it may sleep here, or end."""
        if self._cut is None or not self._cut.concerns(point):
            return
        self._passed += 1
        if self._passed != self._cut.nth:
            return
        match self._cut.fate:
            case Fate.DIES:
                raise Killed
            case Fate.LOSES_COMMIT:
                raise CommitLost("server closed the connection unexpectedly")
            case Fate.SLEEPS:
                self._sleep()

    def _sleep(self) -> None:
        self.asleep = True
        self._reports.put(None)
        _, self._cut = self._orders.get()
        self._passed = 0
        if self._cut is not None and self._cut.nth == 0:
            raise Killed


def _lose_everything() -> None:
    """A process ends, with its memory and its session, or a worker goes on with a new connection."""
    connection.close()
    connection.run_on_commit = []
    at_once._spare.ids = None


class _Here(threading.local):
    executor: Executor | None = None


_here = _Here()


def here() -> Executor | None:
    """The executor whose thread this is."""
    return _here.executor


def reached(point: Point) -> None:
    """Whoever runs here is at a point."""
    if _here.executor is not None:
        _here.executor.reached(point)


@contextmanager
def _broken_off(wrapper: Any) -> Iterator[None]:
    """Whoever is stopped at a commit loses the session, and the server rolls back what is not committed."""
    try:
        yield
    except Killed:
        wrapper.connection.rollback()
        raise
    except CommitLost:
        wrapper.connection.close()
        raise


def committing(commit: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Django's commit of a connection, with the points around it."""

    def _commit(wrapper: Any) -> Any:
        with _broken_off(wrapper):
            reached(Point.COMMITS)
            commit(wrapper)
            reached(Point.COMMITTED)

    return _commit


def committing_alone(execute: Callable[..., bool]) -> Callable[..., bool]:
    """A statement that is a transaction of its own, unless it is in one, with the points around it."""

    def _execute(*args: Any, **kwargs: Any) -> bool:
        if connection.in_atomic_block:
            return execute(*args, **kwargs)
        with _broken_off(connection):
            reached(Point.COMMITS)
            done = execute(*args, **kwargs)
            reached(Point.COMMITTED)
        return done

    return _execute
