"""Where measurements are made: servers, simulator and data of a run's own, gone afterwards."""

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.core.management import call_command

from robson.local import logfiles, paths, servers
from robson.local.commands import Service
from robson.local.simulator import SimulatorProcess
from robson.local.supervisor import Supervisor

_POLL_S = 0.02
_PATIENCE_S = 40.0


class BenchmarkError(RuntimeError):
    """A measurement could not be made, or what it measured did the wrong thing."""


@dataclass(frozen=True)
class Stage:
    """What a measurement works on. `tell` shows what is going on, `advance` how far it is (0 to 1)."""

    simulator: SimulatorProcess
    quick: bool
    tell: Callable[[str], None]
    advance: Callable[[float], None]

    @contextlib.contextmanager
    def processes(self, *services: Service) -> Iterator[Supervisor]:
        """Real processes beside the block, stopped at its end. Raises StartError with the log of one."""
        supervisor = Supervisor(dict(os.environ), say=lambda _line: None)
        supervisor.start(services)
        try:
            yield supervisor
        finally:
            supervisor.stop()


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """A data folder on the disk of the real one, so that a commit costs what it costs in earnest."""
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=paths.private_dir()))
    before = os.environ.get("ROBSON_HOME")
    os.environ["ROBSON_HOME"] = str(home)
    # As `paths.make_home`: root's PostgreSQL runs under another account, which must pass through.
    home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield home
    finally:
        outside = [paths.postgres_dir(), paths.socket_dir()]
        for folder in [home, *(each for each in outside if home not in each.parents)]:
            shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("ROBSON_HOME")
        if before is not None:
            os.environ["ROBSON_HOME"] = before


@contextlib.contextmanager
def opened(*, quick: bool, tell: Callable[[str], None], advance: Callable[[float], None]) -> Iterator[Stage]:
    """A fresh stage. Django is configured by it, so it opens once in a process."""
    forget_the_owners_environment()
    with temporary_home(), servers.running(), SimulatorProcess() as simulator:
        os.environ.update(simulator.environment())
        # A market in which nothing happens between two exits must not count as a broken stream: REST prices
        # would then see the touch, and load the simulator while it is timed.
        os.environ["ROBSON_FEED_AGE_LIMIT_S"] = "3600"
        os.environ["DJANGO_SETTINGS_MODULE"] = "robson.settings"
        tell("preparing the database")
        django.setup()
        _log_to_file()
        call_command("migrate", interactive=False, verbosity=0)
        simulator.control.call("POST", "limits", {"IP": 10**6, "UID": 10**8, "API": 10**6})
        try:
            yield Stage(simulator, quick, tell, advance)
        finally:
            # From here on everything is taken down: whoever interrupts that would leave some of it behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)


def _log_to_file() -> None:
    """What this process logs costs what it costs elsewhere, and does not disturb the progress bar."""
    file = logfiles.path("benchmarks").open("a", encoding="utf-8")
    for handler in logging.getLogger("safetynet").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(file)


def forget_the_owners_environment() -> None:
    """Keys, hosts and servers of the owner must not reach a measurement."""
    names = {"DATABASE_URL", "REDIS_URL", "ROBSON_LIVE", "ROBSON_DEBUG", "PROMETHEUS_MULTIPROC_DIR"}
    for name in [name for name in os.environ if name in names or name.startswith("BINANCE_")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def until(condition: Callable[[], bool], what: str, *, within_s: float = _PATIENCE_S) -> None:
    """Wait for a condition. Raises BenchmarkError naming `what` after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what}: not within {within_s:.0f} s")
        time.sleep(_POLL_S)
