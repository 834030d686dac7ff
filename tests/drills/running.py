"""Drills in lanes: whoever is free takes the next drill; a lane whose drill has failed is replaced."""

import multiprocessing
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tests.drills.lane import Outcome, work
from tests.drills.registry import Drill

# Far above the slowest: only a drill that hangs is ended by it.
DRILL_LIMIT_S = 180.0
_ENDS_WITHIN_S = 60.0
_LOOK_S = 1.0


@dataclass
class Lane:
    """A process, the line to it, and the drill that it is at."""

    number: int
    process: SpawnProcess
    line: Connection
    drill: Drill | None = None
    since: float = 0.0

    @property
    def is_stuck(self) -> bool:
        return self.drill is not None and time.monotonic() - self.since > DRILL_LIMIT_S


Progress = Callable[[Sequence[Lane], Outcome | None], None]


def run(drills: Sequence[Drill], home: Path, *, lanes: int, tell: Progress) -> list[Outcome]:
    """Run all of them. `tell` hears of every change, with the outcome when there is a new one."""
    _forget_last_run(home)
    waiting, found = deque(drills), []
    busy = [_open(number, home) for number in range(1, min(lanes, len(drills)) + 1)]
    try:
        while busy:
            for lane in busy:
                if lane.is_stuck:
                    lane.process.terminate()
            for line in wait([lane.line for lane in busy], timeout=_LOOK_S):
                lane = next(each for each in busy if each.line is line)
                outcome = _hear(lane)
                if outcome is not None:
                    found.append(outcome)
                _occupy(lane, busy, waiting, home, outcome)
                tell(busy, outcome)
    finally:
        for lane in busy:
            lane.process.terminate()
            lane.process.join(_ENDS_WITHIN_S)
    return found


def _forget_last_run(home: Path) -> None:
    shutil.rmtree(home / "failed", ignore_errors=True)
    for log in home.glob("lane-*.log"):
        log.unlink()


def _open(number: int, home: Path) -> Lane:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, home / f"lane-{number}", home / "failed")
    process = context.Process(target=work, args=arguments, name=f"lane-{number}")
    process.start()
    theirs.close()
    return Lane(number, process, ours)


def _hear(lane: Lane) -> Outcome | None:
    """The outcome of the lane's drill; None when the lane has only just opened."""
    try:
        answer: Outcome | None = lane.line.recv()
        return answer
    except EOFError:
        lane.process.join()
        drill = lane.drill
        expected = f"an end within {DRILL_LIMIT_S:.0f} s" if lane.is_stuck else "a lane that lives"
        wrong = [(expected, f"none: code {lane.process.exitcode}, see lane-{lane.number}.log")]
        if drill is None:
            return Outcome(0, f"lane-{lane.number}", "nothing: the stage did not open", wrong=wrong)
        return Outcome(drill.row, drill.name, drill.broke, wrong=wrong)


def _occupy(lane: Lane, busy: list[Lane], waiting: deque[Drill], home: Path, last: Outcome | None) -> None:
    """Give the lane its next drill, or close it; open another in its place if its drill has failed."""
    opened = lane.drill is not None or last is None
    if last is not None and not last.passed:
        busy.remove(lane)
        lane.process.join(_ENDS_WITHIN_S)
        if waiting and opened:
            busy.append(_open(lane.number, home))
    elif waiting:
        lane.drill, lane.since = waiting.popleft(), time.monotonic()
        lane.line.send(lane.drill.name)
    else:
        lane.line.send(None)
        busy.remove(lane)
        lane.process.join(_ENDS_WITHIN_S)
