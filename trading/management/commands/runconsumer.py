"""The consumer process: `manage.py runconsumer`."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from trading import startup
from trading.consumer.process import Consumer


class Command(BaseCommand):
    help = "Watch prices, detect crossovers, drive Core's trailing stops. SIGTERM ends it cleanly."

    def handle(self, *args: Any, **options: Any) -> None:
        startup.require_exchange()
        asyncio.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Consumer().run(stop)
