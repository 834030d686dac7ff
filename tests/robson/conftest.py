"""Pages are served as on a machine where `collectstatic` has run."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.trading.world import pytest_collection_modifyitems, world

__all__ = ["pytest_collection_modifyitems", "world"]


@pytest.fixture(autouse=True)
def static_files(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    settings.STATIC_ROOT = str(folder)
    return folder
