"""`robson positions`: what is armed, open or guarded, and who protects it."""

import argparse
from collections.abc import Iterator
from decimal import Decimal

from django.core.management.base import CommandParser
from django.utils import timezone
from rich.table import Table

from robson.holdings import Holding, holdings
from trading.domain.rounding import to_wire
from trading.management.owner import OwnerCommand, chosen_accounts

HISTORY = 50
STYLES = {
    "error": "bold red",
    "exiting": "yellow",
    "entering": "yellow",
    "active": "green",
    "guarding": "cyan",
}


class Command(OwnerCommand):
    help = "Show what is armed, open or guarded, and who protects it."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help=f"also the last {HISTORY} that ended")

    def act(self, options: argparse.Namespace) -> None:
        accounts = chosen_accounts(options.account)
        found = holdings(accounts, now=timezone.now(), history=HISTORY if options.all else 0)
        if options.json:
            self.print_json([one.told() for one in found])
        elif found:
            table = _table(found, several=len(accounts) > 1, history=options.all)
            self.print_table(table, narrow=(line for one in found for line in _lines(one)))
            self._end(accounts_paused=[str(one) for one in accounts if one.entries_paused])
        else:
            self.say("Nothing is armed, open or guarded.")
            self.say(
                "`robson arm BTCUSDT` arms a symbol. What you open by hand in the app appears within 20 s."
            )
            self._end(accounts_paused=[str(one) for one in accounts if one.entries_paused])

    def _end(self, accounts_paused: list[str]) -> None:
        if accounts_paused:
            self.say(
                f"Entries are paused on {', '.join(accounts_paused)}; `robson resume` allows them again."
            )


def _table(found: list[Holding], *, several: bool, history: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", *(("account",) if several else ()), "symbol", "side", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("quantity", "entry", "stop", "distance"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in (*(("exit", "profit") if history else ()),):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("protected by")
    table.add_column("since (UTC)", no_wrap=True)
    for one in found:
        table.add_row(*_cells(one, several=several, history=history))
    return table


def _cells(one: Holding, *, several: bool, history: bool) -> list[str]:
    percent = f" ({one.distance_percent:.2f} %)" if one.distance_percent is not None else ""
    state = f"[{STYLES[one.state]}]{one.state}[/]" if one.state in STYLES else one.state
    ended = [_amount(one.exit_price), _amount(one.profit)] if history else []
    return [
        f"{one.kind} {one.id}",
        *([one.account] if several else []),
        one.symbol,
        one.side,
        state,
        _amount(one.quantity),
        _amount(one.entry_price),
        _amount(one.stop_price),
        _amount(one.distance) + percent,
        *ended,
        ", ".join(filter(None, (one.protected_by, one.note))),
        f"{one.since:%Y-%m-%d %H:%M}",
    ]


def _lines(one: Holding) -> Iterator[str]:
    """The same for a narrow terminal."""
    yield f"{one.kind} {one.id}  {one.symbol} {one.side} {one.state} ({one.account})"
    if one.entry_price is not None:
        yield f"  {_amount(one.quantity)} from {_amount(one.entry_price)}, stop {_amount(one.stop_price)}"
    if one.exit_price is not None:
        yield f"  out at {_amount(one.exit_price)}, profit {_amount(one.profit) or 'not known'}"
    yield f"  {', '.join(filter(None, (one.protected_by, one.note)))}"


def _amount(value: Decimal | None) -> str:
    return "" if value is None else to_wire(round(value, 8))
