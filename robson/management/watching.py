"""`robson positions --watch`: looking again and again, whatever becomes of the database meanwhile."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from django.utils import timezone
from rich.live import Live

from robson.asking import ask
from robson.management.sight import Report, Sight, SightView
from trading.explain import EXPECTED, explain
from trading.management import screen

# In between, ages go on.
REDRAW_S = 0.5
# A look takes milliseconds; one that takes this long is told.
OVERDUE_S = 3.0
HANGS = "The database hangs: it takes questions and does not answer."


class Watch:
    """Looks every `every_s` seconds, in a thread: a database that hangs must not freeze the screen."""

    def __init__(self, look: Callable[[], Sight], every_s: float) -> None:
        self._look = look
        self._every_s = every_s
        self._report = Report()
        self._question: Future[Sight] | None = None
        self._asked = float("-inf")

    def report(self) -> Report:
        """What is known by now, after a moment. Raises what is no failure to be expected."""
        now = time.monotonic()
        if self._question is None and now - self._asked >= self._every_s:
            self._question, self._asked = ask(self._look), now
        if self._question is None:
            time.sleep(min(REDRAW_S, max(self._asked + self._every_s - now, 0.0)))
        else:
            self._wait(self._question)
        return self._report

    def _wait(self, question: "Future[Sight]") -> None:
        try:
            self._report = Report(question.result(timeout=REDRAW_S))
        except TimeoutError:
            if time.monotonic() - self._asked > OVERDUE_S and self._report.trouble != HANGS:
                self._report = replace(self._report, trouble=HANGS)
            return
        except EXPECTED as error:
            self._report = replace(self._report, trouble=explain(error))
        self._question = None


def on_screen(watch: Watch, on: screen.Stream, *, no_color: bool) -> None:
    """Until Ctrl-C, on the terminal's other screen: what was there before comes back."""
    console = screen.console(on, no_color=no_color)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(SightView(watch.report(), timezone.now()), refresh=True)
