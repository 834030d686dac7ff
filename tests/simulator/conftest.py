"""The simulator stands alone: its tests need neither Redis nor PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.simulator.support import Desk, Server, desk


@pytest.fixture(autouse=True)
def _redis_is_empty() -> None:
    """Nothing here uses Redis, so there is nothing to empty."""


@pytest.fixture(name="desk")
def _desk() -> Desk:
    return desk()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running
