"""One real scrape, after everything that is counted has happened once."""

import json

import pytest
from django.test import RequestFactory

from robson import views
from robson.local import paths
from robson.scrape import Scrape
from safetynet.services import poll
from tests import factories
from tests.trading.world import SYMBOL, World, pytest_collection_modifyitems, world
from trading import metrics, services
from trading.exchange.errors import ExchangeError
from trading.models import Heartbeat

__all__ = ["pytest_collection_modifyitems", "world"]

DEPLOYED = paths.PROJECT_DIR / "deploy" / "monitoring"


@pytest.fixture
def scrape(world: World) -> Scrape:
    """What Prometheus is told by a system in which nothing is left out."""
    factories.everything_works(world.account, prices={SYMBOL: "60000"})
    metrics.FRAMES.labels(outcome="received").inc()
    position = world.enter()
    world.control.price("ETHUSDT", "3000")
    world.control.trade("BUY", "0.5", symbol="ETHUSDT")
    poll(world.account, world.desk)
    services.exit_now(position=position, reason="test", desk=world.desk)
    world.control.price("ETHUSDT", "2900")
    poll(world.account, world.desk)
    world.control.fault("ban", seconds=1)
    with pytest.raises(ExchangeError):
        world.exchange.margin_pairs()
    assert Heartbeat.objects.exists()
    # The view alone: the world has no users, whom the middleware would ask for.
    return Scrape(views.metrics(RequestFactory().get("/metrics")).content.decode())


@pytest.fixture(scope="session")
def dashboard() -> dict[str, object]:
    """The dashboard for Grafana."""
    text = (DEPLOYED / "grafana" / "dashboards" / "robson.json").read_text(encoding="utf-8")
    loaded: dict[str, object] = json.loads(text)
    return loaded
