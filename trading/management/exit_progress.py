"""How far exits are, while somebody waits for them in front of a terminal."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Group, RenderableType
from rich.text import Text

from trading.domain.lifecycle import LIVE_INTENT_STATES
from trading.domain.rounding import to_wire
from trading.management import screen
from trading.models import OrderIntent


class Progress(Protocol):
    """What is told meanwhile."""

    def say(self, line: str) -> None: ...

    def show(self, intents: Sequence[OrderIntent]) -> None: ...


class _Lines:
    """No terminal: what is out of the ordinary, line by line."""

    def __init__(self, stream: screen.Stream) -> None:
        self._stream = stream

    def say(self, line: str) -> None:
        self._stream.write(f"{line}\n")

    def show(self, intents: Sequence[OrderIntent]) -> None:
        pass


class _Drawn:
    """Keeps what a thread of rich's draws: an exit never waits for a terminal that somebody has stopped."""

    def __init__(self) -> None:
        self.lines: tuple[str, ...] = ()
        self._exits: RenderableType = Text("")

    def say(self, line: str) -> None:
        self.lines = (*self.lines, line)

    def show(self, intents: Sequence[OrderIntent]) -> None:
        self._exits = screen.Facts(_row(intent) for intent in intents)

    def __rich__(self) -> Group:
        return Group(*(Text(line, style="yellow") for line in self.lines), self._exits)


@contextmanager
def following(stream: screen.Stream) -> Iterator[Progress]:
    """On a terminal a picture that is drawn anew while the block runs; else lines. What was said stays."""
    if not screen.is_terminal(stream):
        yield _Lines(stream)
        return
    drawn = _Drawn()
    live = screen.live(drawn, on=stream, transient=True)
    # A terminal that is gone must not call an exit off.
    with contextlib.suppress(OSError):
        live.start()
    try:
        yield drawn
    finally:
        with contextlib.suppress(OSError):
            live.stop()
            for line in drawn.lines:
                stream.write(f"{line}\n")


def _row(intent: OrderIntent) -> tuple[Text, Text, Text]:
    live = intent.state in LIVE_INTENT_STATES
    style = "yellow" if live else "green"
    return Text(str(intent.slot)), Text(f"{intent.state}", style=style), Text(_detail(intent))


def _detail(intent: OrderIntent) -> str:
    sold = f"{to_wire(intent.executed_quantity)} of {to_wire(intent.quantity)}"
    tries = f", {intent.attempts_made} attempt{'' if intent.attempts_made == 1 else 's'}"
    error = f" ({intent.last_error})" if intent.last_error else ""
    return sold + (tries if intent.attempts_made else ", waiting for a worker") + error
