"""`robson exempt ETHUSDT --hours 8 --reason ...`: no safety exits there for a while."""

import argparse
from datetime import timedelta

from django.core.management.base import CommandParser
from django.utils import timezone

from safetynet.models import Exemption
from safetynet.observing import in_force
from safetynet.services import ExemptionRefused, end_exemption, exempt
from trading import queries
from trading.domain.types import Side
from trading.explain import NotPossible
from trading.management.owner import OwnerCommand, above_zero, account_named, who
from trading.queries import Slot


class Command(OwnerCommand):
    help = "Take a symbol out of the Safety Net for a while, or put it back with --end."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("symbol", type=str.upper)
        parser.add_argument("--side", choices=[str(side) for side in Side], default=str(Side.LONG))
        parser.add_argument("--hours", type=above_zero, default=above_zero("24"), help="for how long (24)")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--reason", help="why; it is shown wherever the position is")
        what.add_argument("--end", action="store_true", help="end the exemption: protect again at once")

    def act(self, options: argparse.Namespace) -> None:
        # Before an account is switched on is the time to say what must not be closed in it.
        account = account_named(options.account, inactive=True)
        slot = queries.slot_for(account, options.symbol, Side(options.side))
        if options.end:
            self._end(options, slot)
        else:
            self._begin(options, slot)

    def _begin(self, options: argparse.Namespace, slot: Slot) -> None:
        now = timezone.now()
        try:
            made = exempt(
                slot=slot,
                until=now + timedelta(hours=float(options.hours)),
                reason=options.reason,
                by=who(),
                at=now,
            )
        except (ExemptionRefused, OverflowError) as refusal:
            raise NotPossible(str(refusal)) from refusal
        if options.json:
            self.print_json({"slot": str(slot.key), "until": made.until, "reason": made.reason})
        else:
            self.say(f"{slot} is exempt until {made.until:%Y-%m-%d %H:%M} UTC: its stop is off until then.")

    def _end(self, options: argparse.Namespace, slot: Slot) -> None:
        now = timezone.now()
        running = Exemption.objects.select_related("slot").filter(in_force(now), slot=slot)
        ended = [one.pk for one in running if end_exemption(exemption=one, by=who(), at=now)]
        if not ended:
            raise NotPossible(f"{slot} is not exempt; `robson safetynet` lists exemptions")
        if options.json:
            self.print_json({"slot": str(slot.key), "ended": ended})
        else:
            self.say(f"{slot} is protected again.")
