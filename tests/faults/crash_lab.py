"""Processes that are killed at crash points and started again: `python -m tests.faults.crash_lab`.

Reads one batch of cases per line from stdin, as JSON, and answers with what became of it. Django is loaded
once; each life is a fork of this process, with connections of its own.
"""

import faulthandler
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal

import django
from django.conf import settings

from tests.faults.crash_points import EVERYBODY, POINTS, SECOND, Point, Who

AT_ONCE = 6
LONGEST_S = 60
LOOK_EVERY_S = 0.002


@dataclass(frozen=True, slots=True)
class Case:
    """Who is killed where: `kills` are points by name, one for each life. `mark` is a free file name.

    `settings` are Django's, for these lives.
    """

    name: str
    who: Who
    account_id: int
    row: int
    kills: list[str]
    mark: str
    settings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Cases whose killed processes are succeeded together: each by itself, started anew, or by the others.

    `without` names a protection that is taken out (`crash_sabotage`).
    """

    cases: list[Case]
    successor: Literal["itself", "others"] = "itself"
    without: str = ""
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """How the killed lives of each case ended, and which of them reached their point.

    `successors`: how those ended who came after. Exit codes are negative for signals.
    """

    codes: dict[str, list[int]] = field(default_factory=dict)
    reached: dict[str, list[bool]] = field(default_factory=dict)
    successors: list[int] = field(default_factory=list)
    seconds: float = 0.0


def point_of(name: str, who: Who) -> Point:
    """The point of this name, for this executor."""
    return (POINTS | SECOND)[name][who]


def main() -> None:
    django.setup()
    # Loaded once, here, and not in every fork.
    import_module("tests.faults.crash_roles")
    import_module("robson.celery").app.finalize()
    gc.freeze()
    for line in sys.stdin:
        given = json.loads(line)
        batch = Batch(**{**given, "cases": [Case(**case) for case in given["cases"]]})
        print(json.dumps(asdict(run(batch))), flush=True)


def run(batch: Batch) -> Outcome:
    """All killed lives, then those who come after them, together."""
    os.environ.update(batch.environment)
    outcome = Outcome({case.name: [] for case in batch.cases}, {case.name: [] for case in batch.cases})
    _kill_all(batch, outcome)
    began = time.monotonic()
    successors = [_fork(work) for work in _successors(batch)]
    outcome.successors = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in successors]
    outcome.seconds = time.monotonic() - began
    return outcome


def _kill_all(batch: Batch, outcome: Outcome) -> None:
    """The killed lives of all cases: those of one case one after the other, some cases at the same time."""
    waiting, running = deque(batch.cases), dict[int, Case]()
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            case = waiting.popleft()
            life = len(outcome.codes[case.name])
            running[_fork(_killed_life(batch, case, life))] = case
        pid, status = os.waitpid(-1, 0)
        case = running.pop(pid)
        life = len(outcome.codes[case.name])
        outcome.reached[case.name].append(_mark(case, life).exists())
        outcome.codes[case.name].append(os.waitstatus_to_exitcode(status))
        if life + 1 < len(case.kills):
            waiting.append(case)


def _killed_life(batch: Batch, case: Case, life: int) -> Callable[[], None]:
    def work() -> None:
        from tests.faults import crash_arming, crash_roles

        for name, value in case.settings.items():
            setattr(settings, name, value)
        _sabotage(batch)
        point = point_of(case.kills[life], case.who)
        crash_arming.arm(point, _mark(case, life))
        moved = point.trouble == "row moved"
        crash_roles.exit_all(case.who, [crash_roles.Task(case.who, case.account_id, case.row, moved)])

    return work


def _successors(batch: Batch) -> Iterable[Callable[[], None]]:
    from tests.faults import crash_roles

    def work(who: Who, tasks: list[crash_roles.Task]) -> None:
        _sabotage(batch)
        if batch.successor == "others":
            crash_roles.take_over(tasks)
        else:
            crash_roles.exit_all(who, tasks)

    for who in EVERYBODY:
        tasks = [crash_roles.Task(who, case.account_id, case.row) for case in batch.cases if case.who == who]
        if tasks:
            yield partial(work, who, tasks)


def _sabotage(batch: Batch) -> None:
    from tests.faults import crash_sabotage

    if batch.without:
        crash_sabotage.take_out(batch.without)


def _mark(case: Case, life: int) -> Path:
    return Path(f"{case.mark}.{life}")


def _fork(work: Callable[[], None]) -> int:
    """A process of its own for this work; one that hangs says where, and is ended by SIGALRM."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(LONGEST_S)
    faulthandler.dump_traceback_later(LONGEST_S - 1)
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # its parent's code must not run in this process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
