"""The two command lines: `manage.py`, and `robson` for its owner.

What only some commands need is imported by those: help must not keep anybody waiting.
"""

import difflib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

OWNER_COMMANDS = {
    "positions": "what is armed, open or guarded, and who protects it; live with --watch",
    "arm": "arm a symbol: its next crossover opens a position with a trailing stop",
    "disarm": "take an armed position back",
    "panic": "close Core's positions at market, disarm the rest, pause entries",
    "pause": "no new entries; stops and exits go on",
    "resume": "allow entries again",
    "explain": "what happened to a position, in order, and which layer said what",
    "safetynet": "what the Safety Net guards and skips, and its last poll",
    "exempt": "take a symbol out of the Safety Net for a while",
    "poll": "let the Safety Net look now",
    "alarms": "what you were to hear of lately, and whether your channels work",
    "doctor": "is everything as it should be, and what is to be done",
    "completion": "a script that makes the shell complete all of this",
}

# These look at code and settings only.
_WITHOUT_SERVERS = {
    "help",
    "version",
    "check",
    "collectstatic",
    "completion",
    "diffsettings",
    "findstatic",
    "makemessages",
}
# A doctor who started what is missing would find nothing.
_AS_IT_IS = {"doctor"}


def manage() -> None:
    """Run a management command, with local servers up where DATABASE_URL or REDIS_URL do not name others."""
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in _WITHOUT_SERVERS or {"-h", "--help", "--version"} & set(arguments):
        execute_from_command_line(sys.argv)
        return
    # A terminated command must still give its servers back. Long-running commands set handlers of their own.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        with _servers(arguments[0]):
            execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@contextmanager
def _servers(command: str) -> Iterator[None]:
    """What a command needs around it; starting servers for the first time takes seconds, and says so."""
    from robson.local import rehearsal, servers
    from trading.management import screen

    lease = None
    if command not in _AS_IT_IS:
        with screen.working("starting the database and the broker of this machine"):
            lease = servers.acquire()
    try:
        if command in OWNER_COMMANDS:
            rehearsal.adopt()
        yield
    finally:
        if lease is not None:
            servers.release(lease)


def main() -> None:
    """The `robson` command: `robson positions` is `manage.py positions`, and its help is for the owner."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in {"--help", "-h"} or sys.argv[1:] == ["help"]:
        print(_overview())
        return
    from django.core.exceptions import ImproperlyConfigured

    from robson.local.locks import LockTimeoutError
    from robson.local.postgres import PostgresError
    from robson.local.redis import RedisError

    try:
        if not name.startswith("-") and name not in OWNER_COMMANDS and name not in _all_commands():
            sys.exit(_unknown(name))
        manage()
    except (ImproperlyConfigured, PostgresError, RedisError, LockTimeoutError) as error:
        print(f"robson: {error}", file=sys.stderr)
        sys.exit(1)


def _overview() -> str:
    width = max(map(len, OWNER_COMMANDS))
    lines = [f"  robson {name:<{width}}  {what}" for name, what in OWNER_COMMANDS.items()]
    head = "Robson guards your positions on Binance: a trailing stop for its own, a safety net for yours."
    return "\n".join(
        [head, "", *lines, "", "`robson COMMAND --help` explains one. `make run` starts everything."]
    )


def _unknown(name: str) -> int:
    known = [*OWNER_COMMANDS, *_all_commands()]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"Did you mean `robson {close[0]}`?" if close else "`robson --help` lists the commands."
    print(f"robson: there is no command {name!r}. {advice}", file=sys.stderr)
    return 2


def _all_commands() -> list[str]:
    from django.core.management import get_commands

    return list(get_commands())


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
