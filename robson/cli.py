"""The two command lines: `manage.py`, and `robson` for its owner."""

import os
import signal
import sys
from types import FrameType

from django.core.management import execute_from_command_line

from robson.local import servers

# These look at code and settings only.
_WITHOUT_SERVERS = {"help", "version", "check", "collectstatic", "diffsettings", "findstatic", "makemessages"}


def manage() -> None:
    """Run a management command, with local servers up where DATABASE_URL or REDIS_URL do not name others."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in _WITHOUT_SERVERS or {"-h", "--help", "--version"} & set(arguments):
        execute_from_command_line(sys.argv)
        return
    # A terminated command must still give its servers back. Long-running commands set handlers of their own.
    signal.signal(signal.SIGTERM, _leave)
    try:
        with servers.running():
            execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def main() -> None:
    """The `robson` command: `robson positions` is `manage.py positions`."""
    manage()


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
