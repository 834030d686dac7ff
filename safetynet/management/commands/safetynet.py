"""`robson safetynet`: what the Safety Net guards, what it leaves alone, and whether it polls."""

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone
from rich.text import Text

from safetynet.models import Exemption, GuardedPosition
from safetynet.services import Status, status
from trading.domain.rounding import to_wire
from trading.management.owner import OwnerCommand, chosen_accounts


class Command(OwnerCommand):
    help = "Show what the Safety Net guards and skips, its exemptions and its last poll."

    def act(self, options: argparse.Namespace) -> None:
        now = timezone.now()
        found = [status(account, now) for account in chosen_accounts(options.account)]
        if options.json:
            self.print_json([_as_json(one, now) for one in found])
            return
        if not found:
            self.say("There is no account yet; `robson arm BTCUSDT` or the admin makes one.")
        for one in found:
            self.say(f"Account {one.account}: {_poll(one, now)}")
            if one.guards or one.skipped or one.exemptions:
                self.show_facts(_rows(one))
            else:
                self.say("  no positions on the exchange as of the last poll")


def _rows(one: Status) -> Iterator[tuple[Text, str, str]]:
    for guard in one.guards:
        yield _guard(guard, one.exemption_of(guard))
    for slot, holding in sorted(one.skipped.items()):
        name = f"{slot.symbol} {slot.side.capitalize()}"
        yield Text("skipping", "green"), name, f"Core's position {holding.position_id} ({holding.state})"
    for exemption in one.exemptions:
        yield _exemption(exemption)


def _poll(one: Status, now: datetime) -> str:
    age = one.poll_age_s(now)
    if one.poll is None or age is None:
        return "never polled; `make run` polls every 20 s, `robson poll` does it now."
    trouble = f", {one.poll.failures_in_a_row} failures since: {one.poll.last_error}"
    return f"last good poll {age:.0f} s ago, {one.poll.polls} polls" + (
        trouble if one.poll.failures_in_a_row else ""
    )


def _guard(guard: GuardedPosition, exemption: Exemption | None) -> tuple[Text, str, str]:
    entry = f"{_price(guard.entry_price)}{' (provisional)' if guard.entry_is_provisional else ''}"
    text = f"{to_wire(guard.quantity)} from {entry}, stop {_price(guard.stop_price)}"
    if guard.last_price is not None:
        text += f", last seen at {_price(guard.last_price)}"
    if guard.state != "guarding":
        text += f", {guard.state}"
    text += " - EXEMPT, the stop is off" if exemption else ""
    return Text("guarding", "yellow" if exemption else "cyan"), str(guard.slot), text


def _exemption(exemption: Exemption) -> tuple[Text, str, str]:
    until = f"until {exemption.until:%Y-%m-%d %H:%M} UTC"
    return (
        Text("exempt", "yellow"),
        str(exemption.slot),
        f"{until}, by {exemption.created_by}: {exemption.reason}",
    )


def _price(amount: Any) -> str:
    return to_wire(round(amount, 8))


def _as_json(one: Status, now: datetime) -> dict[str, Any]:
    return {
        "account": one.account.name,
        "poll_age_s": one.poll_age_s(now),
        "polls": one.poll.polls if one.poll else 0,
        "failures_in_a_row": one.poll.failures_in_a_row if one.poll else 0,
        "last_error": one.poll.last_error if one.poll else "",
        "guards": [_guard_json(guard, one.exemption_of(guard)) for guard in one.guards],
        "skipped": [
            {"slot": str(slot), "position_id": holding.position_id, "state": holding.state}
            for slot, holding in sorted(one.skipped.items())
        ],
        "exemptions": [
            {"slot": str(e.slot.key), "until": e.until, "reason": e.reason, "by": e.created_by}
            for e in one.exemptions
        ],
    }


def _guard_json(guard: GuardedPosition, exemption: Exemption | None) -> dict[str, Any]:
    return {
        "id": guard.pk,
        "slot": str(guard.slot.key),
        "state": guard.state,
        "quantity": guard.quantity,
        "entry_price": guard.entry_price,
        "entry_is_provisional": guard.entry_is_provisional,
        "stop_price": guard.stop_price,
        "last_price": guard.last_price,
        "exempt": exemption is not None,
    }
