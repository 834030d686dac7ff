"""Real processes beside a test: workers, consumer, beat and web, on the test's own database and broker."""

import os
import subprocess
import sys
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import psycopg
from django.db import connection

from robson.local.commands import Service
from robson.local.supervisor import Supervisor


def database_url() -> str:
    """The URL of the database that this test is connected to."""
    settings = connection.settings_dict
    options = {
        name: value for name, value in settings.get("OPTIONS", {}).items() if isinstance(value, str | int)
    }
    login = quote(settings["USER"] or "", safe="")
    if settings["PASSWORD"]:
        login += ":" + quote(settings["PASSWORD"], safe="")
    host = settings["HOST"] or ""
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgresql://{login}@{host}{port}/{quote(settings['NAME'])}?{urlencode(options)}"


def sessions_of_others() -> int:
    """How many sessions beside ours the database has: that of a process that is gone ends a moment later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def another_connection() -> psycopg.Connection:
    """Another session on the database that this test is connected to."""
    given = connection.get_connection_params()
    wanted = ("host", "port", "user", "password", "dbname")
    return psycopg.connect(**{name: given[name] for name in wanted if name in given})


class LiveProcesses:
    """Starts services of `robson.local.commands`, and stops or kills them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**os.environ, "DATABASE_URL": database_url(), **environment}
        self._supervisors: dict[str, Supervisor] = {}

    def start(self, service: Service, **environment: str) -> None:
        """Start one process and wait until it is ready. Raises StartError with its log."""
        supervisor = Supervisor({**self._environment, **environment}, say=_say)
        self._supervisors[service.name] = supervisor
        supervisor.start([service])

    def start_together(self, *services: Service, **environment: str) -> None:
        """Start these at the same time and wait until all are ready. They are stopped together, too."""
        supervisor = Supervisor({**self._environment, **environment}, say=_say)
        self._supervisors[" ".join(service.name for service in services)] = supervisor
        supervisor.start(services)

    def children(self, name: str) -> list["subprocess.Popen[bytes]"]:
        """The processes themselves, as they were started."""
        return [process.child for batch in self._supervisors[name].batches for process in batch]

    def stop(self, name: str) -> None:
        """SIGTERM, and wait."""
        self._supervisors.pop(name).stop()

    def kill(self, name: str) -> None:
        """SIGKILL, with everything that it started."""
        self._supervisors.pop(name).kill()

    def stop_all(self) -> None:
        for name in reversed(list(self._supervisors)):
            self.stop(name)


def _say(line: str) -> None:
    # Shown by pytest when the test fails.
    sys.stderr.write(f"{line}\n")
