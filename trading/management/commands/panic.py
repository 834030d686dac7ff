"""`robson panic`: flatten Core, now."""

import argparse
import time
from collections.abc import Sequence

from django.core.management.base import CommandError, CommandParser
from rich.text import Text

from trading import operations
from trading.domain.lifecycle import LIVE_INTENT_STATES, PositionState
from trading.domain.rounding import to_wire
from trading.explain import EXPECTED, NotPossible, explain
from trading.management.exit_progress import Progress, following
from trading.management.owner import OwnerCommand, ask, chosen_accounts, who
from trading.models import Account, OrderIntent, Position

LOOK_EVERY_S = 0.1
# A worker that is there takes an exit within milliseconds.
TAKE_OVER_AFTER_S = 2.0


class Command(OwnerCommand):
    help = "Close Core's positions at market, disarm the rest and pause new entries."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--close", type=int, metavar="POSITION", help="close only this one")
        parser.add_argument("--reason", default="panic")
        parser.add_argument("--wait", type=float, default=15.0, metavar="SECONDS", help="for the exits (15)")

    def act(self, options: argparse.Namespace) -> None:
        intents = self._close_one(options) if options.close is not None else self._close_all(options)
        handed = operations.hand_over(intents)
        self._follow(intents, unqueued=set(handed.ours), wait_s=options.wait)
        self._report(options, intents)

    def _close_one(self, options: argparse.Namespace) -> list[OrderIntent]:
        found = Position.objects.select_related("slot__account").filter(pk=options.close)
        position = found.filter(slot__account__in=chosen_accounts(options.account)).first()
        if position is None:
            raise NotPossible(f"there is no position {options.close}; `robson positions` lists them")
        self._confirm(options, f"Close {position} at market?")
        reason = "closed by hand" if options.reason == "panic" else options.reason
        return [operations.close_now(position=position, reason=reason, by=who())]

    def _close_all(self, options: argparse.Namespace) -> list[OrderIntent]:
        accounts = chosen_accounts(options.account)
        if not accounts:
            raise NotPossible("there is no account yet, so nothing is open")
        self._confirm(options, _question(accounts))
        return [
            intent
            for account in accounts
            for intent in operations.panic(account=account, reason=options.reason, by=who())
        ]

    def _confirm(self, options: argparse.Namespace, question: str) -> None:
        if not options.yes and not ask(question):
            raise CommandError("Nothing was done. Answer y, or add --yes.")

    def _follow(self, intents: Sequence[OrderIntent], *, unqueued: set[int], wait_s: float) -> None:
        """Until all are settled or the time is up; what no worker takes is executed here."""
        with following(self.stderr) as progress:
            if unqueued:
                progress.say("The broker is away: executing the exits in this process.")
            self._work(intents, unqueued, wait_s, progress)

    def _work(
        self, intents: Sequence[OrderIntent], unqueued: set[int], wait_s: float, progress: Progress
    ) -> None:
        started = time.monotonic()
        while live := [intent for intent in self._seen(intents, progress) if _is_live(intent)]:
            waited = time.monotonic() - started
            if waited > wait_s:
                return
            for intent in live:
                untouched = not intent.attempts_made and waited > TAKE_OVER_AFTER_S
                if untouched and intent.pk not in unqueued:
                    progress.say(f"No worker took the exit of {intent.slot}: executing it here.")
                    unqueued.add(intent.pk)
                if intent.pk in unqueued:
                    _execute(intent, progress)
            time.sleep(LOOK_EVERY_S)

    def _seen(self, intents: Sequence[OrderIntent], progress: Progress) -> list[OrderIntent]:
        found = _refreshed(intents)
        progress.show(found)
        return found

    def _report(self, options: argparse.Namespace, intents: Sequence[OrderIntent]) -> None:
        done = _refreshed(intents)
        unfinished = [intent for intent in done if _is_live(intent)]
        if options.json:
            self.print_json([_as_json(intent) for intent in done])
        elif options.close is None:
            self._summary(options, done)
        else:
            self._results(done)
        if unfinished:
            raise CommandError(
                f"{len(unfinished)} of {len(done)} exits are not finished. They are committed, and a worker "
                "will go on trying; look at `robson positions`."
            )

    def _results(self, intents: Sequence[OrderIntent]) -> None:
        self.show_facts(_result(intent) for intent in intents)

    def _summary(self, options: argparse.Namespace, intents: Sequence[OrderIntent]) -> None:
        accounts = chosen_accounts(options.account)
        entering = Position.objects.filter(slot__account__in=accounts, state=PositionState.ENTERING)
        ordered = f"{len(intents)} exit{'' if len(intents) == 1 else 's'} ordered"
        self.say(f"{ordered}, entries paused, nothing left armed.")
        self._results(intents)
        for position in entering.select_related("slot"):
            self.say(f"  {position} is just entering: it is closed as soon as it is filled.")
        self.say("Positions that you opened by hand were not touched. `robson resume` allows entries again.")


def _question(accounts: Sequence[Account]) -> str:
    positions = Position.objects.filter(slot__account__in=accounts)
    active = positions.filter(state=PositionState.ACTIVE).count()
    armed = positions.filter(state=PositionState.ARMED).count()
    names = ", ".join(account.name for account in accounts)
    noun = "position" if active == 1 else "positions"
    return (
        f"Close {active} open {noun} of Core's at market, disarm {armed} and pause entries on {names}? "
        "What you opened by hand stays."
    )


def _refreshed(intents: Sequence[OrderIntent]) -> list[OrderIntent]:
    ids = [intent.pk for intent in intents]
    return list(OrderIntent.objects.select_related("slot__account").filter(pk__in=ids).order_by("pk"))


def _result(intent: OrderIntent) -> tuple[str, str, Text]:
    price = f" at {to_wire(round(intent.average_price, 8))}" if intent.average_price else ""
    position = f"position {intent.position_id}"
    if _is_live(intent):
        return str(intent.slot), position, Text(f"not finished ({intent.last_error or intent.state})", "red")
    outcome = "closed" if intent.executed_quantity else "found flat"
    return str(intent.slot), position, Text(f"{outcome}{price}", "green")


def _is_live(intent: OrderIntent) -> bool:
    return intent.state in LIVE_INTENT_STATES


def _execute(intent: OrderIntent, progress: Progress) -> None:
    try:
        operations.execute_here(intent)
    except EXPECTED as error:
        progress.say(f"{intent.slot}: {explain(error)}")


def _as_json(intent: OrderIntent) -> dict[str, object]:
    return {
        "intent_id": intent.pk,
        "position_id": intent.position_id,
        "symbol": intent.slot.symbol,
        "side": intent.slot.side,
        "state": intent.state,
        "executed_quantity": intent.executed_quantity,
        "average_price": intent.average_price,
        "error": intent.last_error,
    }
