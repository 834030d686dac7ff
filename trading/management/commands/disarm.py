"""`robson disarm BTCUSDT`: take an armed position back."""

import argparse

from django.core.management.base import CommandError, CommandParser

from trading import operations
from trading.domain.lifecycle import MANAGED_STATES, PositionState
from trading.explain import NotPossible
from trading.management.owner import USAGE, OwnerCommand, chosen_accounts, who
from trading.models import Position


class Command(OwnerCommand):
    help = "Take an armed position back, before it has entered; put one away that is in error."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", metavar="POSITION", help="a position's number, or a symbol")
        parser.add_argument("--reason", default="disarmed by hand")

    def act(self, options: argparse.Namespace) -> None:
        position = _position(options.what, options.account)
        operations.disarm(position=position, reason=options.reason, by=who())
        if options.json:
            self.print_json(
                {"position_id": position.pk, "slot": str(position.slot.key), "state": position.state}
            )
        else:
            self.say(f"Disarmed {position.slot} (position {position.pk}). Nothing was bought or sold.")


def _position(what: str, account: str | None) -> Position:
    """Raises NotPossible, or CommandError for an unknown account."""
    accounts = chosen_accounts(account)
    known = Position.objects.select_related("slot__account").filter(slot__account__in=accounts)
    if what.isascii() and what.isdigit():
        found = known.filter(pk=what[:18]).first()
        if found is None:
            raise NotPossible(f"there is no position {what}; `robson positions` lists them")
        return found
    managed = list(known.filter(slot__symbol=what.upper(), state__in=MANAGED_STATES))
    armed = [position for position in managed if position.state == PositionState.ARMED]
    if len(armed) > 1:
        numbers = ", ".join(f"{position.pk} ({position.slot}, {position.slot.account})" for position in armed)
        text = f"Several are armed in {what.upper()}: {numbers}. Name one by its number."
        raise CommandError(text, returncode=USAGE)
    if not managed:
        raise NotPossible(f"nothing is armed in {what.upper()}; `robson positions` lists what there is")
    return armed[0] if armed else managed[0]
