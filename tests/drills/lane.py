"""One lane: a process with a stage of its own that runs the drills it is given, one after the other."""

import os
import shutil
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.drills.registry import Drill
    from tests.drills.scene import Scene
    from tests.drills.stage import Stage


@dataclass(frozen=True)
class Outcome:
    """What became of one drill. Times in s; `wrong` is (expected, seen), empty when it has passed.

    `revived` is what the supervisor said of processes that ended by themselves; `stood_still_s` the longest
    time in which the lane itself could not do anything: figures of a machine that stands still mean little.
    """

    row: int
    name: str
    broke: str
    unprotected_s: float | None = None
    allowed_s: float = 0.0
    allowed_for: str = ""
    outage_s: float = 0.0
    exits: int = 0
    violations: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    logs: str = ""
    took_s: float = 0.0
    stood_still_s: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.wrong

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def work(orders: Connection, home: Path, failed: Path) -> None:
    """Run what is sent by name until None comes. Answers each with its Outcome, and once with None when up.

    A drill that fails ends the stage: the next one finds a fresh one, in a fresh process.
    """
    # Terminated like interrupted: either way servers and processes go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home.mkdir(parents=True, exist_ok=True)
    _speak_into(home.with_suffix(".log"))
    from tests.drills import stage

    with stage.opened(home) as opened:
        from tests.drills import registry

        drills = {each.name: each for each in registry.load(controls=True)}
        orders.send(None)
        while (name := orders.recv()) is not None:
            outcome = run(drills[name], opened, failed / name)
            orders.send(outcome)
            if not outcome.passed:
                return


def run(drill: "Drill", stage: "Stage", evidence: Path) -> Outcome:
    """One drill, judged. When it fails, its logs are kept in the folder `evidence`."""
    from tests.drills import judging, scene

    began = time.monotonic()
    stage.programs.have(drill.needs)
    stage.settle()
    stage.programs.ended.clear()
    at = scene.begin(stage)
    wrong, still_s = _play(drill, at), round(stage.market.stood_still_s(), 1)
    stage.restore()
    if not wrong:
        wrong = [
            (each.expected, each.seen) for each in judging.judge(at, exits=drill.exits, revives=drill.revives)
        ]
    shutil.rmtree(evidence, ignore_errors=True)
    if wrong:
        shutil.copytree(stage.home / "logs", evidence)
    else:
        at.account.active = False
        at.account.save(update_fields=["active"])
    longest = at.exposure.longest
    return Outcome(
        row=drill.row,
        name=drill.name,
        broke=drill.broke,
        unprotected_s=round(longest.seconds, 2) if longest else None,
        allowed_s=at.exposure.allowed_s,
        allowed_for=at.exposure.allowed_for,
        outage_s=round(longest.outage_s, 2) if longest else 0.0,
        exits=len(at.exits()),
        violations=len(judging.violations(at)),
        wrong=wrong,
        revived=list(stage.programs.ended),
        logs=str(evidence) if wrong else "",
        took_s=round(time.monotonic() - began, 1),
        stood_still_s=still_s,
    )


def _play(drill: "Drill", at: "Scene") -> list[tuple[str, str]]:
    from tests.drills.scene import DrillFailed

    try:
        drill.run(at)
    except DrillFailed as failure:
        return [(failure.expected, failure.seen)]
    except Exception as error:  # noqa: BLE001  # whatever it was, the drill has not passed, and others go on
        traceback.print_exc()
        return [("the drill runs to its end", f"{type(error).__name__}: {error}")]
    return []


def _speak_into(file: Path) -> None:
    """What this process prints or logs is not for the console, where the table is."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
