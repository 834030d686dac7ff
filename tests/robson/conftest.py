"""Pages are served as on a machine where `collectstatic` has run; a broker that is away."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.trading.world import pytest_collection_modifyitems, world
from trading.tasks import execute_intent

__all__ = ["pytest_collection_modifyitems", "world"]


@pytest.fixture(autouse=True)
def static_files(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    settings.STATIC_ROOT = str(folder)
    return folder


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be queued: who claims an exit must execute it."""

    def refuse(*_args: object, **_options: object) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(execute_intent, "apply_async", refuse)
