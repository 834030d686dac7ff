"""`make demo`: see both modalities at work and read the exchange's ledger at the end."""

import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from robson.demo import report, scenario, stage
from robson.local import paths
from robson.local.supervisor import StartError


class Command(BaseCommand):
    help = "Both modalities on one simulated account, start to finish, in about two minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--logs", action="store_true", help="also show the processes' own log lines")
        parser.add_argument("--json", action="store_true", help="print the report as JSON at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        file = paths.data_dir() / "demo-report.json"
        started = time.monotonic()
        if not options["logs"]:
            # The lines below tell the same, for people.
            logging.getLogger("trading").setLevel(logging.WARNING)
        try:
            with stage.running(self._say, self._log if options["logs"] else _silent) as up:
                position, guard = scenario.play(up, self._say)
                result = report.write_down(up, position, guard)
        except (scenario.DemoFailed, stage.CommandFailed, StartError) as error:
            raise CommandError(f"The demo did not come to its end: {error}") from error
        result["seconds"] = round(time.monotonic() - started, 1)
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        self._verdict(result)
        if options["json"]:
            self.stdout.write(json.dumps(result))
        self._say(f"report: {os.path.relpath(file)}")

    def _verdict(self, result: report.Report) -> None:
        wrong = report.problems(result)
        if wrong:
            raise CommandError("The demo ran, but: " + "; ".join(wrong))
        exits = ", ".join(f"{symbol} closed {count} time" for symbol, count in result["exits"].items())
        self._say(f"the exchange's ledger: {exits}; no violation, no debt left, nothing open")
        counted = sum(result["metrics"]["events"].values())
        self._say(f"/metrics over all processes: {counted:.0f} events, kind by kind those of the event log")

    def _say(self, line: str) -> None:
        self.stdout.write(f"{datetime.now(UTC):%H:%M:%S}  {line}")
        self.stdout.flush()

    def _log(self, line: str) -> None:
        sys.stderr.write(f"          {line}\n")


def _silent(_line: str) -> None:
    return
