"""A program on a terminal of its own, as a person has it: what it draws, and how it leaves the terminal."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PROJECT = Path(__file__).resolve().parents[1]
ROBSON = (sys.executable, "-c", "from robson.cli import main; main()")
OTHER_SCREEN, USUAL_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class OnTerminal:
    """Everything that the program has drawn so far is in `drawn`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, columns: int = 100, rows: int = 30
    ) -> None:
        self.drawn = ""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=PROJECT,
            env={**inherited, "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def until(self, text: str, *, within_s: float = 30.0) -> None:
        """Wait until this has been drawn since the last time."""
        start, deadline = len(self.drawn), time.monotonic() + within_s
        while text not in self.drawn[start:]:
            assert time.monotonic() < deadline, f"{text!r} was not drawn:\n{self.drawn[start:]}"
            assert self._read(), f"it ended without {text!r}:\n{self.drawn}"

    def ended(self, *, within_s: float = 30.0) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait(within_s)

    def _read(self) -> bool:
        """False once the program has closed the terminal."""
        if not select.select([self._ours], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._ours, 65_536)
        except OSError:
            return False
        self.drawn += data.decode(errors="replace")
        return bool(data)
