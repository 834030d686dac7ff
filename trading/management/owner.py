"""What the owner's commands share: choosing the account, output, and calm errors."""

import argparse
import getpass
import json
import logging
import os
import sys
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from rich.console import Console, RenderableType
from rich.text import Text

from trading.domain.lifecycle import MANAGED_STATES
from trading.domain.rounding import to_wire
from trading.explain import EXPECTED, explain
from trading.management import screen
from trading.models import Account

DEFAULT_ACCOUNT = "main"
REFUSED, USAGE = 1, 2


class OwnerCommand(BaseCommand):
    """Expected failures become one sentence on stderr and exit code 1; wrong usage is exit code 2."""

    # An emergency must not wait for, or fail on, checks of the code.
    requires_system_checks = ()
    # They work, and are of no use to who reads the help.
    suppressed_base_arguments = {
        "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--force-color",
    }  # fmt: skip
    takes_account = True
    _typed = False
    colourless = False

    def add_arguments(self, parser: CommandParser) -> None:
        self.arguments(parser)
        if self.takes_account:
            parser.add_argument("--account", metavar="NAME", help="which account, where there are several")
        parser.add_argument("--json", action="store_true", help="print JSON instead of text")

    def run_from_argv(self, argv: list[str]) -> None:
        """On a terminal the answer is what counts; log lines of routine work would bury it."""
        self._typed = True
        for name in ("trading", "safetynet", "robson"):
            logging.getLogger(name).setLevel(logging.WARNING)
        super().run_from_argv(argv)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """On the command line, why it was refused is a sentence without the name of a class before it."""
        # Django itself knows its options only.
        options["no_color"] |= bool(os.environ.get("NO_COLOR")) and not options["force_color"]
        self.colourless = options["no_color"]
        try:
            return super().execute(*args, **options)
        except CommandError as refusal:
            if options["traceback"] or not self._typed:
                raise
            self.stderr.write(str(refusal))
            sys.exit(refusal.returncode)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self.act(argparse.Namespace(**options))
        except EXPECTED as error:
            raise CommandError(explain(error), returncode=REFUSED) from error

    def arguments(self, parser: CommandParser) -> None:
        """The command's own arguments."""

    @abstractmethod
    def act(self, options: argparse.Namespace) -> None:
        """Do it. Raises CommandError or any of `trading.explain.EXPECTED`."""

    def say(self, text: str) -> None:
        self.stdout.write(text)

    def print_json(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, default=plain, indent=2))

    def show(self, *shown: RenderableType) -> None:
        """Tables and coloured text. `say` is for plain sentences."""
        console = self.console()
        with console.capture() as captured:
            for one in shown:
                console.print(one)
        lines = captured.get().splitlines()
        # Columns are filled up with blanks, of which a file has no use.
        self.stdout.write("\n".join(lines if self.stdout.isatty() else map(str.rstrip, lines)))

    def show_facts(self, rows: Iterable[Sequence[str | Text]]) -> None:
        """What belongs to the sentence before, in columns."""
        self.show(screen.indented(screen.Facts(rows)))

    def console(self) -> Console:
        """Rich output on stdout: plain text where it is no terminal."""
        return screen.console(self.stdout, no_color=self.colourless)

    def working(self, text: str) -> AbstractContextManager[None]:
        """A sign of life on stderr while something takes long, for whoever looks."""
        return screen.working(text, on=self.stderr)


def account_named(name: str | None, *, create: bool = False, inactive: bool = False) -> Account:
    """The account that is meant: by name, or the only one. With `create`, the first one is made.

    An account that is switched off is meant only where `inactive` says so. Raises CommandError.
    """
    accounts = list(Account.objects.all() if inactive else Account.objects.filter(active=True))
    if name is None and len(accounts) == 1:
        return accounts[0]
    if name is None and not accounts and create:
        return Account.objects.get_or_create(name=DEFAULT_ACCOUNT)[0]
    names = ", ".join(account.name for account in accounts) or "none yet"
    if name is None:
        raise CommandError(f"Which account? Add --account NAME; there are: {names}.", returncode=USAGE)
    for account in accounts:
        if account.name == name:
            return account
    kind = "account" if inactive else "active account"
    raise CommandError(f"There is no {kind} {name!r}; there are: {names}.", returncode=USAGE)


def chosen_accounts(name: str | None) -> Sequence[Account]:
    """The named account, or all that are active or hold something of Core's. Raises CommandError.

    What an account holds is not gone because it was switched off: it must be seen, and be closed in a panic.
    """
    if name:
        return [account_named(name, inactive=True)]
    held = Q(slots__positions__state__in=MANAGED_STATES)
    return list(Account.objects.filter(held | Q(active=True)).distinct())


def active_accounts(name: str | None) -> Sequence[Account]:
    """The named account, or all; none that is switched off. Raises CommandError for an unknown name."""
    return [account_named(name)] if name else list(Account.objects.filter(active=True))


def who() -> str:
    """The person at the terminal, for the event log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "the command line"


def plain(value: Any) -> Any:
    """JSON of what the owner's commands print: decimals as fixed-point text, times in ISO form."""
    if isinstance(value, Decimal):
        return to_wire(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")


def above_zero(text: str) -> Decimal:
    """An argument that must be a number above zero. Raises ArgumentTypeError."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above zero, for example 250 or 0.5")
    return number


def whole_above_zero(text: str) -> int:
    """An argument that must be a whole number above zero. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above zero, for example 21")
    return int(text)


def ask(question: str) -> bool:
    """Whether the person at the terminal agrees; no terminal is no agreement."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
