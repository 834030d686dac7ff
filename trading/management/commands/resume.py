"""`robson resume`: allow entries again, after a panic or a pause."""

import argparse

from django.core.management.base import CommandParser

from trading import operations
from trading.management.owner import OwnerCommand, account_named, who


class Command(OwnerCommand):
    help = "Allow new entries again, after `robson panic` or a pause."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="resumed by hand")

    def act(self, options: argparse.Namespace) -> None:
        account = account_named(options.account)
        changed = operations.pause_entries(account=account, paused=False, reason=options.reason, by=who())
        if options.json:
            self.print_json({"account": account.name, "entries_paused": False, "changed": changed})
        else:
            self.say(f"Entries {'are allowed again' if changed else 'were not paused'} on {account}.")
