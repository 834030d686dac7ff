"""Log files of local servers and processes, under `logs` in the data folder."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from robson.local import paths

_LONGEST_BYTES = 10_000_000


def path(name: str) -> Path:
    """The log file of one process."""
    return paths.private_dir("logs") / f"{name}.log"


def append(name: str) -> BinaryIO:
    """Open a log for appending."""
    file = path(name)
    if file.exists():
        shorten(name)
    return file.open("ab", buffering=0)


def shorten(name: str) -> None:
    """Set aside a log past 10 MB, in place of the one before it. Its writer, which appends, goes on."""
    file = path(name)
    if file.stat().st_size > _LONGEST_BYTES:
        shutil.copyfile(file, file.with_suffix(".log.1"))
        os.truncate(file, 0)


def tail(name: str, *, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(path(name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def read_from(name: str, offset: int) -> bytes:
    """What has been logged since a log had this length, in bytes."""
    with path(name).open("rb") as file:
        file.seek(offset)
        return file.read()


def complete_lines(name: str, offset: int) -> tuple[str, int]:
    """The whole lines that were logged since a log had this length, and its length after them."""
    if size(name) < offset:
        offset = 0
    new = read_from(name, offset)
    whole = new[: new.rfind(b"\n") + 1]
    return whole.decode("utf-8", errors="replace"), offset + len(whole)


def size(name: str) -> int:
    """The length of a log, in bytes."""
    return path(name).stat().st_size
