"""`robson poll`: one poll of the Safety Net, now."""

import argparse
from dataclasses import asdict

from django.core.management.base import CommandError

from safetynet.services import PollReport, poll
from trading import gateway, startup
from trading.management.owner import OwnerCommand, active_accounts


class Command(OwnerCommand):
    help = "Let the Safety Net look at the account now, as it does every 20 seconds."

    def act(self, options: argparse.Namespace) -> None:
        accounts = active_accounts(options.account)
        startup.require_exchange(accounts)
        with self.working("looking at the account"):
            reports = {account.name: poll(account, gateway.desk_for(account)) for account in accounts}
        if options.json:
            self.print_json({name: asdict(report) for name, report in reports.items()})
        else:
            for name, report in reports.items():
                self.say(f"Account {name}: {_told(report)}")
        failed = {name: report.failures for name, report in reports.items() if report.failures}
        if failed:
            told = "; ".join(f"{name}: {', '.join(failures)}" for name, failures in failed.items())
            raise CommandError(f"Not everything could be looked at ({told}). The next poll tries again.")


def _told(report: PollReport) -> str:
    if not report.ran:
        return "another poll is under way, nothing was done."
    return (
        f"{report.found} positions found, {report.monitored} monitored, {report.skipped} skipped (Core's), "
        f"{len(report.exits_requested)} exits requested."
    )
