"""Processes that are killed at crash points and started again: `python -m tests.faults.crash_lab`.

Reads one batch of cases per line from stdin, as JSON, and answers with what became of each. Django is loaded
once; each life of a case is a fork of this process, with connections of its own.
"""

import faulthandler
import gc
import json
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import django
from django.conf import settings

from tests.faults.crash_points import POINTS, SECOND, Point, Who

AT_ONCE = 16
LONGEST_S = 30
LOOK_EVERY_S = 0.005


@dataclass(frozen=True, slots=True)
class Case:
    """Who is killed where. `kills` are points by name, one for each life; the last life is unharmed.

    `successor` is who comes after the last kill: the same process anew, or the others. `without` names a
    protection that is taken out (`crash_sabotage`). `mark` is a free file name. `settings` are Django's.
    """

    name: str
    who: Who
    account_id: int
    row: int
    kills: list[str]
    successor: str
    mark: str
    without: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """How each life ended (its exit code, negative for a signal), and what it took from the last death on."""

    codes: list[int] = field(default_factory=list)
    reached: list[bool] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(slots=True)
class _Run:
    case: Case
    outcome: Outcome = field(default_factory=Outcome)
    died: float = 0.0

    @property
    def life(self) -> int:
        return len(self.outcome.codes)


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
        cases = [Case(**case) for case in json.loads(line)]
        print(json.dumps({name: asdict(outcome) for name, outcome in run(cases).items()}), flush=True)


def run(cases: list[Case]) -> dict[str, Outcome]:
    """All cases, some of them at the same time, each to its end. A life that hangs is ended by SIGALRM."""
    waiting = deque(_Run(case) for case in cases)
    running: dict[int, _Run] = {}
    finished: dict[str, Outcome] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            _start(waiting.popleft(), running)
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            time.sleep(LOOK_EVERY_S)
            continue
        ended = running.pop(pid)
        if _over(ended, os.waitstatus_to_exitcode(status)):
            finished[ended.case.name] = ended.outcome
        else:
            _start(ended, running)
    return finished


def _start(this: _Run, running: dict[int, _Run]) -> None:
    pid = os.fork()
    if pid == 0:
        _live(this.case, this.life)
    running[pid] = this


def _over(this: _Run, code: int) -> bool:
    """Note how a life ended; whether it was the last one."""
    case, outcome, now = this.case, this.outcome, time.monotonic()
    last = this.life == len(case.kills)
    if last:
        outcome.seconds = now - this.died
    else:
        outcome.reached.append(_mark(case, this.life).exists())
        this.died = now
    outcome.codes.append(code)
    return last


def _mark(case: Case, life: int) -> Path:
    return Path(f"{case.mark}.{life}")


def _live(case: Case, life: int) -> NoReturn:
    code = 1
    signal.alarm(LONGEST_S)
    faulthandler.dump_traceback_later(LONGEST_S - 2)
    try:
        os.environ.update(case.environment)
        for name, value in case.settings.items():
            setattr(settings, name, value)
        _work(case, life)
        code = 0
    except BaseException:
        logging.getLogger("trading").critical("%s, life %s", case, life, exc_info=True)
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def _work(case: Case, life: int) -> None:
    from tests.faults import crash_arming, crash_roles, crash_sabotage

    if case.without:
        crash_sabotage.take_out(case.without)
    last = life == len(case.kills)
    if not last:
        crash_arming.arm(point_of(case.kills[life], case.who), _mark(case, life))
    row_moved = not last and point_of(case.kills[life], case.who).trouble == "row moved"
    task = crash_roles.Task(case.who, case.account_id, case.row, row_moved)
    act: Callable[[Any], None] = crash_roles.exit_as
    if last and case.successor == "others":
        act = crash_roles.take_over
    act(task)


if __name__ == "__main__":
    main()
