"""PostgreSQL and Redis of these tests' own, which can be taken away, and Robson's processes on them."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import dj_database_url
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connection

from robson.local import children, commands, logfiles, paths, postgres, redis
from robson.local.commands import Service
from robson.local.simulator import SimulatorProcess
from safetynet.models import GuardedPosition
from tests import factories
from tests.drills.programs import Programs
from tests.drills.servers import Server, broker, database
from tests.faults import entered
from tests.faults.crash_cases import TOUCHED_AT
from tests.faults.crash_client import QUICK
from tests.faults.entered import BOUGHT
from tests.trading.world import PRICE
from trading.domain.types import Side
from trading.models import Account, Position

CORE, HAND = "BTCUSDT", "ETHUSDT"
HAND_PRICE, HAND_TOUCHED = Decimal(3_000), Decimal(2_900)
WITHIN_S = 40.0
MOST_ACCOUNTS = 30
WAITING = "-without-a-broker"
LOOK_EVERY_S = 0.05


@dataclass
class Stage:
    """The servers, and a simulator."""

    simulator: SimulatorProcess
    programs: Programs
    database: Server = field(default_factory=database)
    broker: Server = field(default_factory=broker)
    accounts: int = 0

    def restore(self) -> None:
        """Both servers are up, and the exchange is well."""
        self.database.start()
        self.broker.start()
        self.simulator.control.clear_faults()
        self.programs.ended.clear()


@contextlib.contextmanager
def opened() -> Iterator[Stage]:
    """In a folder of its own, with the database migrated. This process uses it too, until the end."""
    home = paths.data_dir() / "outages"
    with _variables({"ROBSON_HOME": str(home)}):
        # What an interrupted run has left.
        _remove()
        try:
            database().start()
            broker().start()
            with _connected_to(paths.local_database_url()), SimulatorProcess() as simulator:
                call_command("migrate", interactive=False, verbosity=0)
                _poll_every_second()
                services = [*commands.trading_services(), *_waiting()]
                programs = Programs(services, _environment(simulator))
                with contextlib.closing(programs):
                    yield Stage(simulator, programs)
        finally:
            _remove()


class Scene:
    """One test: an account of its own, positions in it, and what becomes of them."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.control = stage, stage.simulator.control
        self.programs, self.broker, self.database = stage.programs, stage.broker, stage.database
        stage.accounts += 1
        self.name = f"owner-{stage.accounts}"
        self.account = _account(stage, self.name)
        self._logs = {service.name: _size(service.name) for service in commands.trading_services()}

    def core(self, side: Side = Side.LONG) -> Position:
        """A position of Core's, Active."""
        self.control.price(CORE, PRICE)
        order = self.control.trade(side.entry_order, BOUGHT, symbol=CORE, api_key=self.name)
        return entered.position(CORE, side, of=self.account, order_id=order["order_id"])

    def by_hand(self) -> None:
        """A long of the owner's."""
        self.control.price(HAND, HAND_PRICE)
        self.control.trade("BUY", "0.5", symbol=HAND, api_key=self.name)

    def guarded(self) -> GuardedPosition:
        """The owner's long, once a poll guards it."""
        self.by_hand()
        guards = GuardedPosition.objects.filter(slot__account=self.account)
        self.until(guards.exists)
        return guards.get()

    def watched(self, side: Side = Side.LONG) -> Position:
        """A position of Core's that the consumer follows: its stop trails."""
        position = self.core(side)
        best = PRICE + 10 if side is Side.LONG else PRICE - 10
        self.control.price(CORE, best)
        self.until(lambda: Position.objects.filter(pk=position.pk, extreme_price=best).exists())
        return position

    def touch(self, *, core: Side | None = None, hand: bool = False) -> None:
        """The market goes through these stops."""
        if core is not None:
            self.control.price(CORE, TOUCHED_AT[core])
        if hand:
            self.control.price(HAND, HAND_TOUCHED)

    def orders(self) -> list[dict[str, Any]]:
        """Robson's orders that the exchange has accepted."""
        return [one for one in self.control.orders() if one["api_key"] == self.name and not one["by_hand"]]

    def until(self, happened: Callable[[], object], within_s: float = WITHIN_S) -> float:
        """Let the supervisor work until it is so; how many seconds that took. No answer is not yet."""
        began = time.monotonic()
        while not _asked(happened):
            waited = time.monotonic() - began
            assert waited < within_s, f"not within {within_s:.0f} s; {self.programs.ended}"
            self.programs.tend()
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - began

    def closed(self, *rows: Position | GuardedPosition) -> bool:
        for row in rows:
            row.refresh_from_db(fields=["state"])
        return all(row.state == "closed" for row in rows)

    def always(self, holds: Callable[[], bool], for_s: float) -> None:
        """It is so all the time, for so long."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            self.programs.tend()
            assert holds()
            time.sleep(LOOK_EVERY_S)

    def answers_late(self, orders: int) -> None:
        """So many of Robson's orders are executed at once and answered too late, if at all."""
        hang = {"hang_ms": 1_500, "count": orders, "api_key": self.name}
        self.control.fault("timeout_after_accept", path="margin/order", method="POST", **hang)

    def logged(self, name: str) -> str:
        """What a process has logged since the scene began."""
        return logfiles.read_from(name, self._logs[name]).decode()


def _account(stage: Stage, name: str) -> Account:
    key, secret = _variables_of(stage.accounts)
    stage.simulator.control.call("POST", "account", {"api_key": name, "secret": name})
    # Those of the tests before need no poll any more.
    Account.objects.update(active=False)
    return factories.account(name, api_key_env=key, api_secret_env=secret)


def _waiting() -> list[Service]:
    """The workers, taken for started as soon as they say that there is no broker."""
    workers = commands.workers()
    return [replace(each, name=f"{each.name}{WAITING}", ready="Cannot connect to redis") for each in workers]


def _variables_of(number: int) -> tuple[str, str]:
    return f"OUTAGE_KEY_{number}", f"OUTAGE_SECRET_{number}"


def _environment(simulator: SimulatorProcess) -> dict[str, str]:
    keys = {
        variable: f"owner-{number}"
        for number in range(1, MOST_ACCOUNTS + 1)
        for variable in _variables_of(number)
    }
    servers = {"DATABASE_URL": paths.local_database_url(), "REDIS_URL": paths.local_redis_url()}
    own = {**QUICK, "DJANGO_SETTINGS_MODULE": "tests.faults.outage_settings", "ROBSON_HTTP_TIMEOUT_S": "3"}
    return {**os.environ, **simulator.environment(), **keys, **servers, **own}


@contextlib.contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _connected_to(url: str) -> Iterator[None]:
    """This thread's connection goes to another database meanwhile."""
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= dj_database_url.parse(url)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict |= before


def _poll_every_second() -> None:
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    interval, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.filter(task="safetynet.poll_all").update(interval=interval, expire_seconds=2)


def _asked(happened: Callable[[], object]) -> object:
    try:
        return happened()
    except DatabaseError:
        connection.close()
        return None


def _size(name: str) -> int:
    return logfiles.size(name) if logfiles.path(name).exists() else 0


def _remove() -> None:
    postgres.stop()
    redis.stop()
    children.reap_servers()
    for folder in (paths.postgres_dir(), paths.socket_dir(), paths.data_dir()):
        shutil.rmtree(folder, ignore_errors=True)
