"""`robson doctor`: is everything as it should be, and what is to be done?"""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from robson.doctor import report
from robson.doctor.examination import CHECKS, examine
from robson.doctor.findings import Verdict
from trading.management import screen
from trading.management.owner import REFUSED, OwnerCommand


class Command(OwnerCommand):
    help = "Look at keys, clocks, hosts, queues, database, Redis, disk and positions; say what to do."
    takes_account = False
    checks = CHECKS

    def act(self, options: argparse.Namespace) -> None:
        with _quiet(), screen.counting("looking", on=self.stderr) as told:
            findings = examine(self.checks, told=told)
        if options.json:
            self.print_json(report.as_json(findings))
        else:
            self.show(report.shown(findings))
        if any(one.verdict is Verdict.FAILED for one in findings):
            sys.exit(REFUSED)


@contextmanager
def _quiet() -> Iterator[None]:
    """What is away is told in order below; the libraries' own complaints would only come in between."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
