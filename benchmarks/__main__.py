"""`python -m benchmarks`: measure everything, or what `--only` names; show the figures and keep them."""

import argparse
import importlib
import logging
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import document, report, stage
from benchmarks.figures import Figure
from benchmarks.stage import BenchmarkError, Stage
from robson.local.simulator import SimulatorError
from robson.local.supervisor import StartError

MEASUREMENTS = {
    "core": "Core: trigger to order",
    "safety": "Safety Net: trigger to order",
    "frames": "Frames through the consumer",
    "polling": "A poll of 50 positions",
    "memory": "Memory of `make run`",
    "lists": "Lists with 100,000 positions and 1,000,000 events",
    "alarms": "Exits beside a channel that hangs",
}

_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TimeElapsedColumn(),
    TextColumn("{task.fields[now]}"),
)

WIDTH_OF_A_FILE = 140
INTERRUPTED = 130
Measure = Callable[[Stage], list[Figure]]


def main() -> int:
    """Exit code 0 when everything was measured, whatever the figures say; 1 when something could not be."""
    line = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    line.add_argument("--only", action="append", choices=list(MEASUREMENTS), help="may be repeated")
    line.add_argument("--quick", action="store_true", help="fewer samples; nothing is kept")
    options = line.parse_args()
    # Terminated like interrupted: either way servers and processes go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("robson.local").setLevel(logging.ERROR)
    console, machine = Console(), report.machine()
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    names = options.only or list(MEASUREMENTS)
    try:
        found, failed = run(names, quick=options.quick, console=console)
    except KeyboardInterrupt:
        console.print("interrupted; nothing is kept, and nothing is left running")
        return INTERRUPTED
    report.show(found, console)
    for name, why in failed.items():
        console.print(f"[red]{MEASUREMENTS[name]} was not measured:[/red] {why}")
    if not (failed or options.quick or options.only):
        at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        report.save(found, machine, at)
        document.rewrite(found, machine, at)
        console.print("kept in benchmarks/latest.json and docs/performance.md")
    return 1 if failed else 0


def run(names: list[str], *, quick: bool, console: Console) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    """The figures of each measurement, and why others failed."""
    found: dict[str, list[Figure]] = {}
    failed: dict[str, str] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting", total=1.0, now="servers and simulator")
        with stage.opened(
            quick=quick,
            tell=lambda now: progress.update(bar, now=now),
            advance=lambda share: progress.update(bar, completed=share),
        ) as opened:
            for name in names:
                progress.update(bar, completed=1.0, now="")
                bar = progress.add_task(MEASUREMENTS[name], total=1.0, now="")
                try:
                    found[MEASUREMENTS[name]] = _measure(name)(opened)
                except (BenchmarkError, StartError, SimulatorError) as error:
                    failed[name] = str(error)
            progress.update(bar, completed=1.0, now="")
    return found, failed


def _measure(name: str) -> Measure:
    # Imported late: models can only be imported once the stage has configured Django.
    measure: Measure = importlib.import_module(f"benchmarks.{name}").measure
    return measure


if __name__ == "__main__":
    sys.exit(main())
