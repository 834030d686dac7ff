"""`manage.py alive consumer`: for the health check of a container."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from robson import health


class Command(BaseCommand):
    help = "Exit code 0 if a part does its job, else 1 and the reason."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("part", choices=["database", "broker", "consumer", "feed", "poll", "alarms"])

    def handle(self, *_args: Any, **options: Any) -> None:
        wanted = options["part"]
        known = [*health.parts(timezone.now()), health.alarms(timezone.now())]
        parts = [part for part in known if part.name.split(":")[0] == wanted]
        failing = [f"{part.name}: {part.detail}" for part in parts if not part.ready]
        # Nothing is known of anything while the database is away.
        if failing or not parts:
            raise CommandError("; ".join(failing) or f"{wanted}: unknown, the database does not answer")
        self.stdout.write("; ".join(f"{part.name}: {part.detail}" for part in parts))
