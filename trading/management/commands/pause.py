"""`robson pause --reason ...`: no new entries; stops and exits go on."""

import argparse

from django.core.management.base import CommandParser

from trading import operations
from trading.domain.events import EventKind
from trading.management.owner import OwnerCommand, account_named, who
from trading.models import Account, Event


class Command(OwnerCommand):
    help = "Stop new entries. Stops and exits go on, and nothing is closed; `robson resume` ends it."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why; it is kept in the log of events")

    def act(self, options: argparse.Namespace) -> None:
        account = account_named(options.account)
        changed = operations.pause_entries(account=account, paused=True, reason=options.reason, by=who())
        if options.json:
            self.print_json({"account": account.name, "entries_paused": True, "changed": changed})
        elif changed:
            self.say(f"Entries are paused on {account}: nothing new is opened. Stops and exits go on.")
            self.say("A crossover meanwhile ends its arming. `robson resume` allows entries again.")
        else:
            self.say(f"Entries are paused on {account} already{_since(account)}. Nothing was changed.")


def _since(account: Account) -> str:
    """By whom, when and why, as far as the events tell."""
    paused = Event.objects.filter(kind=EventKind.ACCOUNT_PAUSED, data__account=account.name)
    event = paused.order_by("-id").first()
    if event is None:
        return ""
    by, reason = event.data.get("by", "somebody"), event.data.get("reason", "no reason given")
    return f": by {by} at {event.at:%Y-%m-%d %H:%M} UTC ({reason})"
