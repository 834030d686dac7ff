"""The stage of the protocol's model."""

import logging
from collections.abc import Iterator

import pytest

from tests.model.world import Stage


@pytest.fixture
def stage(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Executors with sessions of their own on this test's database; log lines cost more than what they tell."""
    logging.disable(logging.CRITICAL)
    built = Stage(monkeypatch)
    try:
        yield built
    finally:
        built.close()
        logging.disable(logging.NOTSET)
