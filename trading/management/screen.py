"""The terminal: whether there is one, how wide it is, and signs of life while something takes long.

Colours and everything that moves are for terminals only; rich honours NO_COLOR and TERM=dumb by itself.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

# A pipe has no width of its own; nothing may be cut off or broken there.
PIPE_WIDTH = 1_000
# What is done within this time needs no sign of life.
PATIENCE_S = 0.4
SIGNS_PER_S = 8
# Between columns, and for sentences in the last of them.
GAP, LEAST_ROOM = 2, 30


class Stream(Protocol):
    """Something that text goes to: a stream of this process, or Django's wrapper of one."""

    def isatty(self) -> bool: ...

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...


def is_terminal(stream: Stream) -> bool:
    """Whether a person looks at it, and it can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def console(stream: Stream, *, no_color: bool | None = None) -> Console:
    """A rich console on this stream: plain text where it is no terminal. None: as NO_COLOR says."""
    return Console(
        file=_Plain(stream),  # type: ignore[arg-type]  # rich writes, flushes and asks for isatty, no more
        force_terminal=stream.isatty(),
        no_color=no_color,
        # A terminal's width may change while something is shown on it.
        width=None if stream.isatty() else PIPE_WIDTH,
        highlight=False,
        emoji=False,
    )


def fits(table: Table, on: Console) -> bool:
    """Whether nothing of the table is cut off or broken on this console."""
    unbounded = on.options.update(width=10 * PIPE_WIDTH)
    return on.measure(table, options=unbounded).maximum <= on.width


class Facts:
    """Lines of words in columns. With little room, the last column is broken; with less, it goes below."""

    def __init__(self, rows: Iterable[Sequence[str | Text]]) -> None:
        self._rows = [[text(cell) for cell in row] for row in rows]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if not self._rows:
            return
        *widths, last = (max(cell.cell_len for cell in column) for column in zip(*self._rows, strict=True))
        room = options.max_width - sum(widths) - GAP * len(widths)
        if room >= min(last, LEAST_ROOM):
            yield self._table()
            return
        for *first, detail in self._rows:
            yield Text("  ").join(first)
            yield indented(detail)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
        *first, _ = self._rows[0]
        for _ in first:
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in self._rows:
            table.add_row(*row)
        return table


def indented(shown: RenderableType) -> Padding:
    """Two columns further to the right, as what belongs to the line above."""
    return Padding(shown, (0, 0, 0, 2), expand=False)


def text(cell: str | Text) -> Text:
    """What was written by people holds no markup."""
    return cell if isinstance(cell, Text) else Text(cell)


@contextmanager
def working(text: str, *, on: Stream | None = None) -> Iterator[None]:
    """Say on stderr that something is being done, if it takes long and somebody looks; gone at the end."""
    stream = on or sys.stderr
    if not is_terminal(stream):
        yield
        return
    with live(_Patient(Spinner("dots", text=text)), on=stream, transient=True):
        yield


@contextmanager
def counting(text: str, *, on: Stream | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while something is done piece by piece: call what is yielded with (done, all)."""
    stream = on or sys.stderr
    if not is_terminal(stream):
        yield lambda _done, _all: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console(stream),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def live(shown: RenderableType, *, on: Stream, transient: bool) -> Live:
    """Something that is drawn anew several times a second by a thread of its own.

    Nothing else is redirected through it: whoever writes to the same terminal meanwhile, waits until its end.
    """
    return Live(
        shown,
        console=console(on),
        refresh_per_second=SIGNS_PER_S,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
    )


class _Patient:
    """Shows nothing for a moment: what is quick does not flicker."""

    def __init__(self, spinner: Spinner) -> None:
        self._spinner = spinner
        self._since: float | None = None

    def __rich_console__(self, console: Console, _options: object) -> Iterator[RenderableType]:
        now = console.get_time()
        self._since = self._since or now
        if now - self._since >= PATIENCE_S:
            yield self._spinner


class _Plain:
    """Django's wrapper of a stream ends each text with a new line; rich has its own."""

    def __init__(self, stream: Stream) -> None:
        self._stream = getattr(stream, "_out", stream)

    def write(self, text: str) -> int:
        self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return bool(self._stream.isatty())
