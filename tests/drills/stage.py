"""Where drills happen: servers, simulator and processes of one lane, which nothing else uses."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

from robson.local import commands, paths, ports, postgres, redis
from robson.local import servers as local_servers
from robson.local.simulator import Control, SimulatorProcess
from tests.drills.market import Market
from tests.drills.programs import Programs
from tests.drills.servers import Server, broker, database

# A fresh account for each drill: their keys must be in the processes' environment from the start.
MOST_DRILLS = 60
RECONCILE_S = 5
SETTLES_WITHIN_S, PING_S = 30.0, 1.0
_SETTINGS = "tests.drills.settings"
_OWNERS = ("DATABASE_URL", "REDIS_URL", "ROBSON_LIVE", "ROBSON_DEBUG", "PROMETHEUS_MULTIPROC_DIR")


@dataclass
class Stage:
    """One lane's world. `web` is the address of the web process."""

    home: Path
    exchange: Control
    market: Market
    programs: Programs
    database: Server
    broker: Server
    web: str
    drills: int = 0

    def restore(self) -> None:
        """Everything works again and nothing is armed: what one drill broke must not meet the next."""
        self.database.start()
        self.broker.start()
        self.exchange.clear_faults()
        self.market.rest()

    def settle(self) -> None:
        """Wait until every worker has found the broker again, or has died over its loss and is up once more.

        Raises TimeoutError.
        """
        workers = [name for name in self.programs.up() if name.startswith("worker")]
        deadline = time.monotonic() + SETTLES_WITHIN_S
        while _answering(most=len(workers)) < len(workers):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not every worker of {workers} answers")
            self.programs.tend()


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Stage]:
    """A fresh stage in this folder, processes not started yet. Django is configured by it: once a process."""
    _forget_the_owners_environment(home)
    _remove_what_an_interrupted_run_left()
    with local_servers.running(), SimulatorProcess(name="simulator") as simulator:
        os.environ.update(_environment(simulator))
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        _quicken()
        port = ports.free_port(0)
        services = [*commands.trading_services(), commands.web(port=port)]
        programs = Programs(services, dict(os.environ))
        market = Market(simulator.url)
        address = f"http://127.0.0.1:{port}"
        try:
            yield Stage(home, simulator.control, market, programs, database(), broker(), address)
        finally:
            market.close()
            programs.close()
            # A server that a drill left hanging could not be stopped.
            database().start()


def _answering(most: int) -> int:
    """How many workers answer, over a connection that no drill has broken."""
    from robson.celery import app

    with app.connection_for_write() as fresh:
        return len(app.control.ping(timeout=PING_S, limit=most, connection=fresh) or [])


def key_variables(number: int) -> tuple[str, str]:
    """The environment variables of the key and the secret of an account."""
    return f"DRILL_KEY_{number}", f"DRILL_SECRET_{number}"


def _forget_the_owners_environment(home: Path) -> None:
    for name in [name for name in os.environ if name in _OWNERS or name.startswith("BINANCE_")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    os.environ["ROBSON_HOME"] = str(home)


def _remove_what_an_interrupted_run_left() -> None:
    postgres.stop()
    redis.stop()
    for folder in (paths.postgres_dir(), paths.socket_dir(), paths.data_dir()):
        shutil.rmtree(folder, ignore_errors=True)
    paths.make_home(paths.data_dir())


def _environment(simulator: SimulatorProcess) -> dict[str, str]:
    keys = {
        variable: f"{socket.gethostname()}-{variable}".lower()
        for number in range(1, MOST_DRILLS + 1)
        for variable in key_variables(number)
    }
    return {
        **simulator.environment(),
        **keys,
        "DJANGO_SETTINGS_MODULE": _SETTINGS,
        "ROBSON_STRICT_TRANSACTIONS": "1",
    }


def _quicken() -> None:
    """Poll and reconciliation run more often than in production: the poll as often as the settings say."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    for task, every_s in (
        ("safetynet.poll_all", settings.POLL_INTERVAL_S),
        ("trading.reconcile", RECONCILE_S),
    ):
        interval, _ = IntervalSchedule.objects.get_or_create(every=every_s, period="seconds")
        PeriodicTask.objects.filter(task=task).update(interval=interval, expire_seconds=every_s)
