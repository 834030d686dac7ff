"""`python -m tests.drills`: run the drills, show what came of them, and keep it. Exit code 1 if one fails."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import django
from rich.console import Console

from robson.local import locks, paths

if TYPE_CHECKING:
    from tests.drills.lane import Outcome
    from tests.drills.registry import Drill

INTERRUPTED = 130
WIDTH_OF_A_FILE = 220
_MOST_RUNS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    options = _command_line().parse_args(arguments)
    # Terminated like interrupted: either way the lanes are told to end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.drills.settings"
    django.setup()
    from tests.drills import registry

    wanted = [wish.strip() for each in options.only for wish in each.split(",")]
    try:
        drills = registry.chosen(registry.load(controls=options.controls), wanted)
    except ValueError as error:
        console.print(f"drills: {error}")
        return 2
    if options.list:
        for each in drills:
            console.print(f"{each.row:>3}  {each.name}\n     {each.shows}", highlight=False)
        return 0
    try:
        return _run(drills, options, console)
    except KeyboardInterrupt:
        console.print("interrupted; nothing is kept, and nothing is left running")
        return INTERRUPTED


def _run(drills: "Sequence[Drill]", options: argparse.Namespace, console: Console) -> int:
    from django.conf import settings

    from tests.drills import document, registry, report, running

    began, clock = datetime.now(UTC), time.monotonic()
    home, lock = _free_home()
    whole = len(drills) == len(registry.load())
    try:
        with console.status("opening the stages") as status:

            def tell(lanes: Sequence[running.Lane], outcome: "Outcome | None") -> None:
                if outcome is not None:
                    report.tell(outcome, console)
                now = ", ".join(f"{lane.drill.row} {lane.drill.name}" for lane in lanes if lane.drill)
                status.update(f"{len(drills)} drills; now {now}")

            found = running.run(drills, home, lanes=options.lanes, tell=tell)
    finally:
        os.close(lock)
    found.sort(key=lambda one: (one.row, one.name))
    away = registry.NOT_APPLICABLE if whole else {}
    took_s, poll_s = time.monotonic() - clock, settings.POLL_INTERVAL_S
    report.show(found, away, console, heading=report.title(poll_s))
    report.save(options.json, found, away, began=began, took_s=took_s, poll_s=poll_s)
    failed = sum(not one.passed for one in found)
    if options.readme and whole and not failed:
        document.rewrite(found, away, at=began, poll_s=poll_s)
    console.print(f"{len(found) - failed} of {len(found)} drills passed in {took_s:.0f} s; {options.json}")
    return 1 if failed else 0


def _command_line() -> argparse.ArgumentParser:
    line = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    line.add_argument("--only", action="append", default=[], metavar="ROW_OR_NAME,..")
    line.add_argument("--list", action="store_true", help="name the drills and what each shows")
    line.add_argument("--lanes", type=int, default=2, help="how many run at the same time, each on its own")
    line.add_argument("--json", type=Path, default=paths.data_dir() / "drills.json", metavar="FILE")
    line.add_argument(
        "--readme", action="store_true", help="put the table into the README, if all have passed"
    )
    line.add_argument("--controls", action="store_true", help="also the drills that must fail")
    return line


def _free_home() -> tuple[Path, int]:
    """A folder that no other run uses, and its lock."""
    folder = paths.private_dir() / "drills"
    paths.make_home(folder)
    for number in range(_MOST_RUNS):
        lock = locks.try_lock(folder / f"{number}.lock")
        if lock is not None:
            home = folder / str(number)
            paths.make_home(home)
            return home, lock
    raise SystemExit(f"drills: {_MOST_RUNS} runs already use {folder}")


if __name__ == "__main__":
    sys.exit(main())
