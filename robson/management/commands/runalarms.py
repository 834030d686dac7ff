"""The process that tells alarms: `manage.py runalarms`."""

import logging
import os
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from robson.alarms import config
from robson.alarms.process import Alarms

log = logging.getLogger(__name__)

NICENESS = 5
ENDING = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    help = "Tell the owner what he must hear of, over ROBSON_ALARM_URLS. SIGTERM ends it cleanly."
    # It has to say that the database is away, not end because of it.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = config.read()
        except config.BadConfig as error:
            raise CommandError(str(error)) from error
        if not found.channels:
            log.warning("%s is not set: alarms are written down and shown, and nobody is told", config.URLS)
        # A list and not an event: a second signal may come while the first one sets it, and wait for ever.
        asked: list[int] = []
        for number in ENDING:
            signal.signal(number, lambda got, _: asked.append(got))
        # Whatever this machine has to do, exits come first.
        os.nice(NICENESS)
        Alarms(found).run(lambda: bool(asked))
        # Python gives the signals back on its way out, and one more would make a clean end look like a death.
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
