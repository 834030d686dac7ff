"""Log files of local servers and processes, under `logs` in the data folder."""

from pathlib import Path
from typing import BinaryIO

from robson.local import paths

_LONGEST_BYTES = 10_000_000


def path(name: str) -> Path:
    """The log file of one process."""
    return paths.private_dir("logs") / f"{name}.log"


def append(name: str) -> BinaryIO:
    """Open a log for appending. One past 10 MB is first set aside, in place of the one before it."""
    file = path(name)
    if file.exists() and file.stat().st_size > _LONGEST_BYTES:
        file.replace(file.with_suffix(".log.1"))
    return file.open("ab", buffering=0)


def tail(name: str, *, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(path(name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def read_from(name: str, offset: int) -> bytes:
    """What has been logged since a log had this length, in bytes."""
    with path(name).open("rb") as file:
        file.seek(offset)
        return file.read()
