"""A channel that works, in this process."""

from collections.abc import Iterator

import pytest

from tests.alarms.endpoint import Endpoint, hanging
from tests.trading.world import pytest_collection_modifyitems, world

__all__ = ["pytest_collection_modifyitems", "world"]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    channel = Endpoint()
    yield channel
    channel.close()


@pytest.fixture
def hanging_address() -> Iterator[str]:
    with hanging() as address:
        yield address
