"""What each process of `make run` keeps in memory, some time after its start."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.figures import Figure
from benchmarks.stage import BenchmarkError, Stage
from robson.local import postgres, redis
from robson.local.commands import Service
from trading.models import Account

TARGET_MIB = 200.0
# One poll at least, and a few sweeps.
SETTLED_S = 25.0
STEPS = 20
WORDS = {
    "web": ["uvicorn"],
    "consumer": ["runconsumer"],
    "worker of exits": ["-Q", "exits"],
    "worker of the Safety Net": ["-Q", "safetynet"],
    "worker of the rest": ["-Q", "default"],
    "beat": ["beat"],
    "Flower": ["flower"],
    "simulator": ["simulator"],
}


@dataclass(frozen=True)
class Usage:
    """Memory of one service, in MiB: shared pages counted in part, own pages, largest process as a whole."""

    processes: int
    proportional: float
    unique: float
    largest_rss: float


def measure(stage: Stage) -> list[Figure]:
    """Everything up as `make run` has it, on the servers of this run."""
    Account.objects.update(active=False)
    command = ("python", "manage.py", "runlocal", "--json", "--web-port", "0")
    everything = Service("runlocal", command, '"dashboard"', grace_s=40.0)
    with _simulator_of_its_own(), stage.processes(everything) as started:
        _wait(stage)
        root = psutil.Process(started.batches[0][0].child.pid)
        found = {name: _usage(_family(_child(root, words))) for name, words in WORDS.items()}
        found["supervisor"] = _usage([root])
        found["PostgreSQL"] = _usage(_family(_running(postgres.pid())))
        found["Redis"] = _usage(_family(_running(redis.pid())))
    return [_figure(name, usage) for name, usage in found.items()]


def _figure(name: str, usage: Usage) -> Figure:
    processes = "1 process" if usage.processes == 1 else f"{usage.processes} processes"
    note = f"{processes}, own {usage.unique:.0f}, largest RSS {usage.largest_rss:.0f}"
    return Figure(f"{name}, PSS", usage.proportional, "MiB", at_most=TARGET_MIB, note=note)


@contextlib.contextmanager
def _simulator_of_its_own() -> Iterator[None]:
    """`make run` starts a simulator unless the environment names an exchange."""
    before = {name: value for name, value in os.environ.items() if name.startswith("BINANCE_")}
    for name in before:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _wait(stage: Stage) -> None:
    stage.tell("everything is up")
    for step in range(1, STEPS + 1):
        time.sleep((5.0 if stage.quick else SETTLED_S) / STEPS)
        stage.advance(step / STEPS)


def _child(root: psutil.Process, words: list[str]) -> psutil.Process:
    """The process that the supervisor started with these words. Raises BenchmarkError."""
    for child in root.children():
        if all(any(word == part for part in child.cmdline()) for word in words):
            return child
    raise BenchmarkError(f"no process was started with {' '.join(words)}")


def _running(pid: int | None) -> psutil.Process:
    if pid is None:
        raise BenchmarkError("a server of this run is gone")
    return psutil.Process(pid)


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _usage(processes: Sequence[psutil.Process]) -> Usage:
    memory = [process.memory_full_info() for process in processes]
    return Usage(
        processes=len(memory),
        proportional=sum(_mib(each.pss) for each in memory),
        unique=sum(_mib(each.uss) for each in memory),
        largest_rss=max(_mib(each.rss) for each in memory),
    )


def _mib(size: int) -> float:
    return size / 2**20
