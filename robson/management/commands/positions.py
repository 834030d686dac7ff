"""`robson positions`: what is armed, open or guarded, and who protects it."""

import argparse
import contextlib
import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone
from rich.text import Text

from robson.holdings import holdings
from robson.management import watching
from robson.management.holdings_view import HoldingsView, alarm
from robson.management.sight import Report, look
from trading.management import screen
from trading.management.owner import USAGE, OwnerCommand, chosen_accounts, plain

HISTORY = 50
WATCH_S = 2.0
LEAST_S, MOST_S = 0.2, 3_600.0


class Command(OwnerCommand):
    help = "Show what is armed, open or guarded, and who protects it."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help=f"also the last {HISTORY} that ended")
        parser.add_argument(
            "--watch",
            type=_seconds,
            nargs="?",
            const=WATCH_S,
            metavar="SECONDS",
            help=f"look again every so often ({WATCH_S:.0f} s) until Ctrl-C; --json: a line for each look",
        )

    def act(self, options: argparse.Namespace) -> None:
        if options.watch is not None:
            self._watch(options)
            return
        accounts = chosen_accounts(options.account)
        found = holdings(accounts, now=timezone.now(), history=HISTORY if options.all else 0)
        if options.json:
            self.print_json([one.told() for one in found])
            return
        if found:
            self.show(HoldingsView(found, several_accounts=len(accounts) > 1, history=options.all))
            self._warn(alarm(found))
        else:
            self.say("Nothing is armed, open or guarded.")
            self.say(
                "`robson arm BTCUSDT` arms a symbol. What you open by hand in the app appears within 20 s."
            )
        self._end(str(one) for one in accounts if one.entries_paused)

    def _warn(self, warning: Text | None) -> None:
        if warning is not None:
            self.show(warning)

    def _end(self, paused: Iterable[str]) -> None:
        names = ", ".join(paused)
        if names:
            self.say(f"Entries are paused on {names}; `robson resume` allows them again.")

    def _watch(self, options: argparse.Namespace) -> None:
        """Until Ctrl-C, which is how it ends: exit code 0."""
        if options.all:
            raise CommandError("--watch shows what is live; leave --all out.", returncode=USAGE)
        if not options.json and not screen.is_terminal(self.stdout):
            text = "--watch needs a terminal to draw on. In a pipe, add --json for one line for each look."
            raise CommandError(text, returncode=USAGE)
        # Without a database, watching begins all the same: it tells, and goes on once there is one.
        with contextlib.suppress(DatabaseError):
            chosen_accounts(options.account)
        watch = watching.Watch(partial(look, options.account), options.watch)
        try:
            if options.json:
                self._lines(watch)
            else:
                watching.on_screen(watch, self.stdout, no_color=self.colourless)
        except KeyboardInterrupt:
            return

    def _lines(self, watch: watching.Watch) -> None:
        last: Report | None = None
        while True:
            report = watch.report()
            if report is not last:
                self.say(json.dumps(_told(report), default=plain))
                self.stdout.flush()
            last = report


def _told(report: Report) -> dict[str, Any]:
    if report.trouble or report.sight is None:
        return {"at": timezone.now(), "error": report.trouble}
    return report.sight.told()


def _seconds(text: str) -> float:
    """Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not LEAST_S <= number <= MOST_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a number of seconds from {LEAST_S} to {MOST_S:.0f}"
        )
    return number
