"""`make run`: everything on this machine, against the simulator, until Ctrl-C."""

import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from robson.local import commands, locks, paths, rehearsal
from robson.local.ports import free_port
from robson.local.simulator import PORT as SIMULATOR_PORT
from robson.local.simulator import Simulator
from robson.local.supervisor import StartError, Supervisor
from trading.management.owner import DEFAULT_ACCOUNT
from trading.models import Account

ADMIN = "admin"
# Of a password that people may have to type: 20 characters, 120 bits.
TYPED_BYTES = 15


@dataclass(frozen=True)
class Addresses:
    """Where everything is, once it runs."""

    web: int
    flower: int | None
    simulator: Simulator | None

    def urls(self) -> dict[str, str]:
        urls = {"dashboard": f"http://127.0.0.1:{self.web}/", "admin": f"http://127.0.0.1:{self.web}/admin/"}
        if self.flower:
            urls["flower"] = f"http://127.0.0.1:{self.flower}/"
        urls["exchange"] = self.simulator.url if self.simulator else os.environ["BINANCE_API_URL"]
        return urls


class Command(BaseCommand):
    help = "Keep everything up on this machine: web, consumer, workers, beat, alarms, Flower, simulator."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--web-port", type=int, default=commands.WEB_PORT)
        parser.add_argument("--feed", default="walk", help="the simulator's prices: walk, manual or a file")
        parser.add_argument("--no-flower", action="store_true")
        parser.add_argument(
            "--json", action="store_true", help="when ready, print the addresses as one JSON line"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        lock = locks.try_lock(paths.private_dir("run") / "runlocal.lock")
        if lock is None:
            raise CommandError(f"It is already running with the data in {paths.data_dir()}.")
        # Closing the terminal ends it as Ctrl-C does, and so does a kill.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        try:
            self._run(options)
        except StartError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("stopped")
        finally:
            os.close(lock)

    def _run(self, options: dict[str, Any]) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        _ensure_admin()
        # The Safety Net watches from the start, whether or not anything is ever armed. An owner who has named
        # his account otherwise must not get a second one with the same keys.
        if not Account.objects.exists():
            Account.objects.create(name=DEFAULT_ACCOUNT)
        addresses = self._choose_addresses(options)
        supervisor = Supervisor(_environment(addresses), self._say)
        try:
            if addresses.simulator:
                rehearsal.announce(addresses.simulator)
            if addresses.simulator:
                simulated = commands.simulated_exchange(port=addresses.simulator.port, feed=options["feed"])
                supervisor.start([simulated])
            supervisor.start(_services(addresses))
            self._announce(addresses, as_json=options["json"])
            supervisor.tend_until(lambda: False)
        finally:
            rehearsal.withdraw()
            supervisor.stop()

    def _choose_addresses(self, options: dict[str, Any]) -> Addresses:
        web = self._port("web", options["web_port"])
        flower = None if options["no_flower"] else self._port("flower", commands.FLOWER_PORT)
        simulator = None
        if not os.environ.get("BINANCE_API_URL"):
            simulator = Simulator(self._port("simulator", SIMULATOR_PORT))
        return Addresses(web, flower, simulator)

    def _port(self, name: str, wanted: int) -> int:
        port = free_port(wanted)
        if port != wanted:
            self._say(f"port {wanted} is in use: {name} takes {port}")
        return port

    def _announce(self, addresses: Addresses, *, as_json: bool) -> None:
        password = _admin_password()
        if as_json:
            login = {"user": ADMIN, "password": password}
            self.stdout.write(json.dumps({**addresses.urls(), "login": login}))
            self.stdout.flush()
            return
        rows = {name.capitalize(): url for name, url in addresses.urls().items()}
        rows["Login"] = f"{ADMIN} / {password}"
        if addresses.flower:
            rows["Flower login"] = _flower_login().replace(":", " / ")
        rows["Logs"] = str(paths.data_dir() / "logs")
        rows["Stop"] = "Ctrl-C"
        width = max(len(name) for name in rows)
        table = [f"  {name:<{width}}  {value}" for name, value in rows.items()]
        self.stdout.write("\n".join(["", "Robson is up.", *table, ""]))

    def _say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")


def _services(addresses: Addresses) -> list[commands.Service]:
    services = [*commands.trading_services(), commands.alarms(), commands.web(port=addresses.web)]
    if addresses.flower:
        services.append(commands.flower(port=addresses.flower))
    return services


def _environment(addresses: Addresses) -> dict[str, str]:
    return {
        **os.environ,
        **(addresses.simulator.environment() if addresses.simulator else {}),
        "FLOWER_BASIC_AUTH": _flower_login(),
        # Where the admin's menu leads to; nothing where Flower does not run.
        "ROBSON_FLOWER_URL": addresses.urls().get("flower", ""),
    }


def _flower_login() -> str:
    return f"robson:{paths.local_secret('flower_password', random_bytes=TYPED_BYTES)}"


def _admin_password() -> str:
    return paths.local_secret("admin_password", random_bytes=TYPED_BYTES)


def _ensure_admin() -> None:
    users = get_user_model()
    if not users.objects.filter(username=ADMIN).exists():
        users.objects.create_superuser(username=ADMIN, password=_admin_password())
