"""Data folders of their own for tests that start and kill servers."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from robson.local import paths
from tests.local.holder import Holder, kill_servers_of


@contextmanager
def _new_home() -> Iterator[Path]:
    folder = paths.private_dir() / f"home-{uuid.uuid4().hex[:8]}"
    paths.make_home(folder)
    yield folder
    kill_servers_of(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _used_home() -> Iterator[Path]:
    with _new_home() as folder:
        Holder(folder).wait_until_up().finish()
        yield folder


@pytest.fixture
def home(_used_home: Path) -> Iterator[Path]:
    """A data folder with a database in it and nothing running. What still runs in it at the end is killed."""
    yield _used_home
    kill_servers_of(_used_home)


@pytest.fixture
def fresh_home() -> Iterator[Path]:
    """An empty data folder. What still runs in it at the end is killed."""
    with _new_home() as folder:
        yield folder


@pytest.fixture
def hold(home: Path) -> Iterator[Callable[..., Holder]]:
    """Start processes that need the servers of `home`, or of another folder."""
    started: list[Holder] = []

    def start(folder: Path = home) -> Holder:
        started.append(Holder(folder))
        return started[-1]

    yield start
    for holder in started:
        holder.kill()


@pytest.fixture(scope="module")
def up() -> Iterator[Holder]:
    """Servers that tests only look at."""
    with _new_home() as folder:
        holder = Holder(folder)
        yield holder.wait_until_up()
        holder.kill()
