"""Where a soak runs: servers, simulator, processes and data of its own, gone afterwards but for the logs."""

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import django
from django.core.management import call_command

from benchmarks.stage import forget_the_owners_environment, temporary_home
from robson.local import children, commands, logfiles, paths, servers
from robson.local.simulator import DEMO_KEY, DEMO_SECRET, SimulatorProcess
from robson.local.supervisor import Running, Supervisor
from simulator.symbols import CATALOG
from tests.soak.schedule import SYMBOLS, WITH_COINS, WITH_LITTLE

Say = Callable[[str], None]

OWNER_LOG = "owner"
USUAL_COLLATERAL, LITTLE_COLLATERAL = "10000", "2000"
COINS_WORTH = Decimal(400)


@dataclass
class Stage:
    """The running system."""

    simulator: SimulatorProcess
    supervisor: Supervisor
    kept: Path
    _marks: dict[str, int] = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """SIGKILL a process with everything it started. The supervisor starts it again."""
        self._marks[name] = logfiles.size(name)
        children.kill(self._find(name).child)

    def freeze(self, name: str) -> None:
        """Stop a process as it stands, with everything it started."""
        os.killpg(self._find(name).child.pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on, as if no time had passed."""
        os.killpg(self._find(name).child.pid, signal.SIGCONT)

    def is_up_again(self, name: str) -> bool:
        """Whether a killed process has said that it is ready."""
        process = self._find(name)
        logged = logfiles.read_from(name, self._marks[name])
        return process.child.poll() is None and process.service.ready.encode() in logged

    @property
    def logs(self) -> list[str]:
        """The names of the logs of Robson's own code."""
        services = (process.service.name for batch in self.supervisor.batches for process in batch)
        return [OWNER_LOG, *services]

    def keep_logs(self) -> Path:
        """Copy the logs to where they outlive the run."""
        shutil.copytree(paths.private_dir("logs"), self.kept / "logs", dirs_exist_ok=True)
        return self.kept

    def _find(self, name: str) -> Running:
        running = (process for batch in self.supervisor.batches for process in batch)
        return next(process for process in running if process.service.name == name)


@contextmanager
def opened(name: str, say: Say) -> Iterator[Stage]:
    """Everything up. `name` is that of the folder of logs. Raises what a start can raise."""
    forget_the_owners_environment()
    kept = paths.private_dir("soak") / name
    with temporary_home(), servers.running(), SimulatorProcess() as simulator:
        os.environ.update(simulator.environment())
        os.environ["ROBSON_STRICT_TRANSACTIONS"] = "1"
        os.environ["DJANGO_SETTINGS_MODULE"] = "robson.settings"
        supervisor = Supervisor(dict(os.environ), say=lambda _line: None)
        os.environ["ROBSON_PROCESS"] = "owner"
        django.setup()
        _log_to_file()
        call_command("migrate", interactive=False, verbosity=0)
        _open_pairs(simulator)
        try:
            supervisor.start(commands.trading_services())
            say(f"up: PostgreSQL, Redis, simulator, {', '.join(s.name for s in commands.trading_services())}")
            yield Stage(simulator, supervisor, kept)
        finally:
            # From here on everything is taken down: whoever interrupts that would leave some of it behind.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            supervisor.stop()


def _log_to_file() -> None:
    """What Robson's verbs log in this process is the owner's terminal, not the soak's."""
    file = logfiles.path(OWNER_LOG).open("a", encoding="utf-8", buffering=1)
    for name in ("", "robson", "trading", "safetynet", "celery.beat", "django.request"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(file)


def _open_pairs(simulator: SimulatorProcess) -> None:
    for symbol in SYMBOLS:
        assets = {"USDT": LITTLE_COLLATERAL if symbol in WITH_LITTLE else USUAL_COLLATERAL}
        if symbol in WITH_COINS:
            assets[CATALOG[symbol].base] = f"{COINS_WORTH / CATALOG[symbol].reference_price:.8f}"
        body = {"api_key": DEMO_KEY, "secret": DEMO_SECRET, "balances": {symbol: assets}}
        simulator.control.call("POST", "account", body)
