"""Some stories are told of what the real protocol has written."""

from tests.trading.world import pytest_collection_modifyitems, world

__all__ = ["pytest_collection_modifyitems", "world"]
