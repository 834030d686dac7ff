"""`robson completion bash`: what the shell needs to complete the owner's commands by itself."""

from typing import Any

import shtab
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandParser

from robson.cli import OWNER_COMMANDS

SHELLS = ("bash", "zsh", "fish")


class Command(BaseCommand):
    help = "Print a script for the shell: eval it, or put it where the shell looks for completions."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("shell", choices=SHELLS)

    def handle(self, *_args: Any, **options: Any) -> None:
        self.stdout.write(shtab.complete(owners_parser(), options["shell"]))


def owners_parser() -> CommandParser:
    """All of the owner's commands as one, with their own options and without those that Django adds."""
    parser = CommandParser(prog="robson")
    commands = parser.add_subparsers()
    apps = get_commands()
    for name, what in OWNER_COMMANDS.items():
        command = load_command_class(apps[name], name)
        command.add_arguments(commands.add_parser(name, help=what))
    return parser
