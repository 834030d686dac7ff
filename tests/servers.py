"""A pytest plugin: real PostgreSQL and Redis, up before Django reads its settings.

Without DATABASE_URL and REDIS_URL, each run of pytest takes servers of its own, with data in
`.robson/test/<n>`: two runs at the same time, or a running `make run`, never meet. pyproject.toml names it.
"""

import os
import signal
from collections.abc import Generator
from urllib.parse import urlsplit, urlunsplit

import pytest

from robson.local import locks, paths, servers

_MOST_RUNS = 32
_FIRST_REDIS_DATABASE = 1


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        _forget_the_owners_environment()
        if not (early_config.known_args_namespace.help or early_config.known_args_namespace.version):
            _start_servers(early_config)
    else:
        _own_folder(worker)
    if os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = _own_redis_database(os.environ["REDIS_URL"], worker)
    return (yield)


def _forget_the_owners_environment() -> None:
    # Keys and hosts of the owner must not reach a test by way of the environment.
    for name in [name for name in os.environ if name.startswith("BINANCE_")]:
        del os.environ[name]
    for name in (
        "ROBSON_LIVE",
        "ROBSON_DEBUG",
        "ROBSON_HTTPS",
        "ROBSON_LOG_FORMAT",
        "PROMETHEUS_MULTIPROC_DIR",
    ):
        os.environ.pop(name, None)
    os.environ["ROBSON_STRICT_TRANSACTIONS"] = "1"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


def _start_servers(config: pytest.Config) -> None:
    # Terminated like interrupted: either way the servers go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home, slot = _free_home()
    config.add_cleanup(lambda: os.close(slot))
    os.environ["ROBSON_HOME"] = home
    given = os.environ.get("REDIS_URL")
    lease = servers.acquire()
    config.add_cleanup(lambda: servers.release(lease))
    if not given:
        os.environ["REDIS_URL"] = _with_database(os.environ["REDIS_URL"], _FIRST_REDIS_DATABASE)


def _own_folder(worker: str) -> None:
    # Two workers that start processes of the same name must not write the same log.
    folder = paths.data_dir() / worker
    paths.make_home(folder)
    os.environ["ROBSON_HOME"] = str(folder)


def _free_home() -> tuple[str, int]:
    folder = paths.private_dir() / "test"
    paths.make_home(folder)
    for number in range(_MOST_RUNS):
        slot = locks.try_lock(folder / f"{number}.lock")
        if slot is not None:
            return str(folder / str(number)), slot
    raise pytest.UsageError(f"{_MOST_RUNS} runs of pytest already use {folder}.")


def _own_redis_database(url: str, worker: str | None) -> str:
    number = urlsplit(url).path.strip("/")
    if not number.isdigit() or int(number) == 0:
        raise pytest.UsageError(
            "REDIS_URL names database 0, and tests empty the database they use. "
            "Name another one, for example redis://127.0.0.1:6379/9."
        )
    return _with_database(url, int(number) + (1 + int(worker.removeprefix("gw")) if worker else 0))


def _with_database(url: str, number: int) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
