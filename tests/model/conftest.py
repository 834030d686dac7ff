"""The stage of the protocol's model."""

import logging
from collections.abc import Iterator

import pytest

from tests.model.stage import Stage


@pytest.fixture
def stage(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Executors with sessions of their own on this test's database. Lines of the log take too long."""
    logging.disable(logging.CRITICAL)
    built = Stage(monkeypatch)
    try:
        yield built
    finally:
        built.close()
        logging.disable(logging.NOTSET)
