"""Tests in here share the rehearsed world."""

from tests.trading.world import world

__all__ = ["world"]
