"""The audit's tests share the rehearsed world."""

from tests.trading.world import pytest_collection_modifyitems, world

__all__ = ["pytest_collection_modifyitems", "world"]
