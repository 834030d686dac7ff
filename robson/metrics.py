"""Metrics of all processes in one answer: each process writes files of its own, the web process adds them up.

A process is known by a name of its own for ever, since process numbers come again, in other containers at
the same time. It holds a lock for as long as it lives, so that whoever reads can tell the living from the
dead without asking their machine. What ended processes counted is moved into one file; their gauges go.
"""

import contextlib
import fcntl
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import CollectorRegistry, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Untyped in the library.
_values_named_by: Callable[[Callable[[], str]], Any] = values.MultiProcessValue
_collector: Callable[[CollectorRegistry, str], object] = MultiProcessCollector
_open: Callable[[str], Any] = MmapedDict
_read: Callable[[str], Iterable[tuple[str, float, float, int]]] = MmapedDict.read_all_values_from_file

ENDED = "ended"
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_held: dict[int, tuple[str, int]] = {}


def share_through(directory: Path) -> None:
    """Let every metric of this process and its children be written below `directory`, which is created.

    Call it before the first metric is made. Raises ImproperlyConfigured if nothing can be written there.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        values.ValueClass = _values_named_by(process_name)
    except OSError as error:
        reason = f"Cannot write metrics to {directory}: {error.strerror}. Set PROMETHEUS_MULTIPROC_DIR."
        raise ImproperlyConfigured(reason) from error


def process_name() -> str:
    """This process's name. The first call in a process takes the lock that shows it alive."""
    process = os.getpid()
    if process not in _held:
        # What a fork inherited is its parent's to hold.
        for _, inherited in _held.values():
            os.close(inherited)
        _held.clear()
        _held[process] = _join(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]), process)
    return _held[process][0]


def exposition(directory: Path, also: Iterable[Collector] = ()) -> bytes:
    """The sum over all processes, those that ended included, in Prometheus's text format; `also` follows."""
    with _alone(directory):
        _archive(directory)
        registry = CollectorRegistry()
        _collector(registry, str(directory))
        for collector in also:
            registry.register(collector)
        return prometheus_client.generate_latest(registry)


def _join(directory: Path, process: int) -> tuple[str, int]:
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())
    name = f"{host}-{process}-{uuid.uuid4().hex[:8]}"
    sign = os.open(directory / f"{name}.alive", os.O_CREAT | os.O_WRONLY, 0o644)
    fcntl.flock(sign, fcntl.LOCK_EX)
    return name, sign


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    with (directory / "reading.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _archive(directory: Path) -> None:
    for sign in directory.glob("*.alive"):
        if _is_dead(sign):
            for path in directory.glob(f"*_{sign.stem}.db"):
                if not path.name.startswith("gauge_"):
                    _add(directory / f"{path.name.split('_')[0]}_{ENDED}.db", path)
                path.unlink()
            sign.unlink()


def _is_dead(sign: Path) -> bool:
    with sign.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _add(total: Path, ended: Path) -> None:
    archive = _open(str(total))
    try:
        for key, value in _values(ended):
            archive.write_value(key, archive.read_value(key)[0] + value, 0.0)
    finally:
        archive.close()


def _values(path: Path) -> Iterable[tuple[str, float]]:
    # An empty file is that of a process killed before its first count.
    if path.stat().st_size == 0:
        return
    for key, value, *_ in _read(str(path)):
        yield key, value
