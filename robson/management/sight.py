"""One look at everything, and how it is drawn on a whole screen."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from robson import health
from robson.health import Part
from robson.holdings import Holding, holdings
from robson.management.health_line import health_line
from robson.management.holdings_view import LOUD, HoldingsView, age, alarm, loudest_first
from trading.management.owner import chosen_accounts


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look found, at a time. `paused`: the accounts on which entries are."""

    at: datetime
    found: list[Holding]
    parts: list[Part]
    several_accounts: bool = False
    paused: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """All of it, for JSON."""
        parts = {part.name: {"ready": part.ready, "detail": part.detail} for part in self.parts}
        return {"at": self.at, "parts": parts, "positions": [one.told() for one in self.found]}

    def later(self, seconds: float) -> "Sight":
        """The same, with the ages that things have by then."""
        parts = [
            part if part.age_s is None else replace(part, age_s=part.age_s + seconds) for part in self.parts
        ]
        return replace(self, found=[_older(one, seconds) for one in self.found], parts=parts)


@dataclass(frozen=True, slots=True)
class Report:
    """The last sight, if there was any, and why there has been none since."""

    sight: Sight | None = None
    trouble: str = ""


def look(account: str | None) -> Sight:
    """Ask the database and the broker. Raises DatabaseError, or CommandError for an unknown account."""
    now = timezone.now()
    accounts = chosen_accounts(account)
    return Sight(
        at=now,
        found=holdings(accounts, now=now),
        parts=health.parts(now),
        several_accounts=len(accounts) > 1,
        paused=tuple(str(one) for one in accounts if one.entries_paused),
    )


@dataclass(frozen=True)
class SightView:
    """A report as a whole screen, at a time: the loudest first, and what does not fit is told."""

    report: Report
    now: datetime

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(Group(*self._shown()), options.update(height=None), pad=False)
        room = console.height
        if len(lines) > room:
            more = Text(f"... {len(lines) - room + 1} more lines do not fit", style="bold")
            lines = [*lines[: room - 1], *console.render_lines(more, options, pad=False)[:1]]
        for line in lines[:room]:
            yield from line
            yield Segment.line()

    def _shown(self) -> Iterator[RenderableType]:
        sight = self.report.sight
        passed = 0.0 if sight is None else max((self.now - sight.at) / timedelta(seconds=1), 0.0)
        yield Text(f"robson positions  {self.now:%Y-%m-%d %H:%M:%S} UTC  (Ctrl-C ends)", style="bold")
        if self.report.trouble:
            yield _no_answer(self.report, passed)
        if sight is not None:
            yield from _sight(sight.later(passed), fresh=not self.report.trouble)
        elif not self.report.trouble:
            yield Text("looking ...")


def _no_answer(report: Report, passed_s: float) -> Group:
    since = "no answer yet"
    if report.sight is not None:
        since = f"no answer since {report.sight.at:%H:%M:%S} UTC, {age(passed_s)} ago; this was known then"
    return Group(Text(f" {since} ", style=LOUD), Text(report.trouble, style="red"))


def _sight(sight: Sight, *, fresh: bool) -> Iterator[RenderableType]:
    # What was heard of the parts before is no news of them.
    if fresh:
        yield health_line(sight.parts)
    warning = alarm(sight.found)
    if warning is not None:
        yield warning
    yield Text()
    if sight.found:
        yield HoldingsView(loudest_first(sight.found), several_accounts=sight.several_accounts)
    else:
        yield Text("Nothing is armed, open or guarded.")
    if sight.paused:
        yield Text(f"Entries are paused on {', '.join(sight.paused)}.", style="yellow")


def _older(one: Holding, seconds: float) -> Holding:
    if one.last is None:
        return one
    last = replace(one.last, age_s=one.last.age_s + seconds, silent_s=one.last.silent_s + seconds)
    return replace(one, last=last)
