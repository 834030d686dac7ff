"""Core and the Safety Net on one account: each protects its own, and nothing is closed twice."""

import logging
from decimal import Decimal

import pytest
import redis
from django.db import transaction
from prometheus_client import REGISTRY

from robson.local.simulator import SimulatorProcess
from safetynet.domain import Ownership
from safetynet.models import GuardedPosition
from safetynet.services import is_core_managed
from tests import factories
from tests.safetynet.support import Poll
from trading import bus
from trading.domain.events import CorePositionClosed, CorePositionOpened
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side, Venue
from trading.models import Account

pytestmark = pytest.mark.django_db(transaction=True)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    "state", [PositionState.ENTERING, PositionState.ACTIVE, PositionState.EXITING], ids=str
)
def test_is_core_managed_returns_true_for_active_position(account: Account, state: PositionState) -> None:
    position = factories.core_position("BTCUSDT", Side.LONG, state=state)

    answer = is_core_managed(account, "BTCUSDT", Side.LONG)

    assert answer.ownership is Ownership.OWNED
    assert answer.position_id == position.pk


def test_is_core_managed_returns_false_for_manual_position(account: Account) -> None:
    factories.core_position("BTCUSDT", Side.SHORT)
    factories.core_position("ETHUSDT", Side.LONG)
    factories.core_position("BTCUSDT", Side.LONG, of=factories.account("other"))
    factories.core_position("BTCUSDT", Side.LONG, state=PositionState.CLOSED)
    factories.core_position("BTCUSDT", Side.LONG, state=PositionState.ARMED)

    answer = is_core_managed(account, "BTCUSDT", Side.LONG)

    assert answer.ownership is Ownership.NOT_OWNED
    assert answer.position_id is None


def test_exclusion_set_updated_on_core_position_opened_event(
    account: Account, redis_client: redis.Redis
) -> None:
    slot = ("BTCUSDT", Side.LONG)

    with transaction.atomic():
        bus.publish(CorePositionOpened("7", *slot, "1001", "main", Venue.ISOLATED_MARGIN))
        assert redis_client.smembers("core_exclusion_set:main") == set(), "before the commit"
    assert redis_client.smembers("core_exclusion_set:main") == {"main:isolated_margin:BTCUSDT:long"}

    with transaction.atomic():
        bus.publish(CorePositionClosed("7", *slot, "main", Venue.ISOLATED_MARGIN))
    assert redis_client.smembers("core_exclusion_set:main") == set()


def test_safety_net_skips_core_position(
    poll: Poll, market: SimulatorProcess, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    position = factories.core_position("BTCUSDT", Side.LONG, quantity="0.01")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    skipped = counted("safety_net_positions_skipped_total", reason="core_managed")
    caplog.set_level(logging.INFO, logger="safetynet")

    market.control.price("BTCUSDT", "50000")
    report = poll()

    assert (report.skipped, report.monitored, report.exits_requested) == (1, 0, [])
    assert not GuardedPosition.objects.exists()
    assert f"Safety Net: Skipping BTCUSDT Long (Core-managed position_id={position.pk})" in caplog.messages
    assert counted("safety_net_positions_skipped_total", reason="core_managed") == skipped + 1
    assert redis_client.smembers("core_exclusion_set:main") == {"main:isolated_margin:BTCUSDT:long"}


def test_safety_net_monitors_manual_position(
    poll: Poll, market: SimulatorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    monitored = counted("safety_net_positions_monitored_total", symbol="ETHUSDT")
    caplog.set_level(logging.INFO, logger="safetynet")

    report = poll()

    guard = GuardedPosition.objects.get()
    assert (guard.slot.symbol, guard.slot.side, guard.state) == ("ETHUSDT", Side.SHORT, GuardState.GUARDING)
    assert guard.stop_price == guard.entry_price * 102 / 100
    assert guard.quantity >= Decimal("0.5")
    assert (report.opened, report.monitored, report.failures) == (1, 1, [])
    stop = f"{guard.stop_price.normalize():f}"
    assert f"Safety Net: Monitoring ETHUSDT Short (manual position, safety stop={stop})" in caplog.messages
    assert counted("safety_net_positions_monitored_total", symbol="ETHUSDT") == monitored + 1


def test_both_modalities_different_symbols_no_conflict(poll: Poll, market: SimulatorProcess) -> None:
    factories.core_position("BTCUSDT", Side.LONG, quantity="0.01")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")

    report = poll()

    assert (report.found, report.skipped, report.monitored, report.failures) == (2, 1, 1, [])
    assert [str(guard.slot) for guard in GuardedPosition.objects.all()] == ["ETHUSDT Short"]
