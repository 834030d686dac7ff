"""What tests share: a clean Redis, and a simulator in a process of its own."""

import os
import signal
from collections.abc import Iterator
from importlib import import_module

import pytest
import redis
from django.apps import apps
from django.db import connections
from hypothesis import settings

from robson.local.simulator import SimulatorProcess
from tests.live import LiveProcesses
from trading import bans, gateway

settings.register_profile("repeatable", derandomize=True, database=None)
settings.register_profile("exploring", derandomize=False, print_blob=True)
# The same examples in every run, so that what fails is what was changed; `make explore` looks for others.
settings.load_profile("repeatable")
# In the background of a script, Ctrl-C is ignored, and would be by every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """As pytest-django's, but that dropping a database may take its time on a busy disk."""
    yield
    options = connections["default"].settings_dict["OPTIONS"]
    options["options"] += " -c statement_timeout=0"


@pytest.fixture(scope="session")
def _redis_connection() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=5) as client:
        yield client


@pytest.fixture(autouse=True)
def _redis_is_empty(_redis_connection: redis.Redis) -> None:
    """What one test publishes must not be found by the next."""
    _redis_connection.flushdb()


@pytest.fixture(autouse=True)
def _no_ban_is_known() -> None:
    """What one test was refused for must not be written down by the next."""
    bans.forget()


@pytest.fixture
def redis_client(_redis_connection: redis.Redis) -> redis.Redis:
    """A client of this test's own Redis database, which is empty. Answers are text."""
    return _redis_connection


@pytest.fixture(scope="session")
def _simulator_process() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(feed="manual", name=f"simulator-{os.getpid()}") as process:
        yield process


@pytest.fixture
def simulator(_simulator_process: SimulatorProcess) -> SimulatorProcess:
    """A simulator with a fresh exchange: `.url`, `.ws_url`, `.control`, `.environment()`."""
    _simulator_process.control.clear_faults()
    _simulator_process.control.reset()
    # How wrong the clock was in another test.
    gateway._offset_at.cache_clear()
    return _simulator_process


SCHEDULING = (
    "trading.migrations.0003_schedule_sweep_and_pruning",
    "trading.migrations.0006_schedule_reconciliation",
    "safetynet.migrations.0006_schedule_poll",
    "robson.migrations.0002_schedule_pruning_of_alarms",
)


@pytest.fixture
def schedule(db: None) -> None:
    """Beat's tasks as the migrations write them, whatever another test's flush has taken away."""
    for name in SCHEDULING:
        import_module(name).schedule(apps, None)


@pytest.fixture
def live_process(
    transactional_db: None, simulator: SimulatorProcess, redis_client: redis.Redis
) -> Iterator[LiveProcesses]:
    """Real processes against this test's database, broker and simulator. Stopped before the flush.

    `live_process.start(commands.worker("exits", concurrency=2))`. Mark such tests with `processes`.
    """
    processes = LiveProcesses(simulator.environment())
    yield processes
    processes.stop_all()
