"""A safety exit that has to wait for its slot judges by what is true when it gets it, not when it asked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from robson.local.simulator import SimulatorProcess
from safetynet import guarding, services
from safetynet.models import GuardedPosition
from tests import factories
from tests.safetynet.support import eventually, our_orders
from tests.trading.world import waiting_for_a_lock
from trading import execution, gateway
from trading.domain.lifecycle import GuardState, PositionState
from trading.models import Account, OrderIntent

pytestmark = pytest.mark.django_db(transaction=True)

TOUCH = Decimal(58_000)


def exit_elsewhere(guard: GuardedPosition) -> None:
    try:
        services.exit_guard(guard.pk, gateway.desk_for(guard.slot.account))
    finally:
        connection.close()


def exit_that_waits(guard: GuardedPosition, meanwhile: Callable[[], object]) -> None:
    """Begin the exit while the slot is held, do something before it gets it, and see it to its end."""
    with ThreadPoolExecutor(max_workers=1) as other:
        with transaction.atomic():
            execution.lock_slot(guard.slot_id)
            done = other.submit(exit_elsewhere, guard)
            eventually(waiting_for_a_lock)
            meanwhile()
        done.result(20)
    guard.refresh_from_db()


def exempt(guard: GuardedPosition) -> None:
    """By the owner; and a poll that had looked before sees the touch once more."""
    now = gateway.utc_now()
    services.exempt(slot=guard.slot, until=now + timedelta(hours=1), reason="news", by="owner", at=now)
    guarding.remember_touch(guard, TOUCH, now)


def test_nothing_changes_meanwhile_and_it_exits(touched: GuardedPosition, market: SimulatorProcess) -> None:
    exit_that_waits(touched, lambda: None)

    assert len(our_orders(market)) == 1
    assert touched.state == GuardState.CLOSED


@pytest.mark.parametrize("state", [PositionState.ENTERING, PositionState.ACTIVE, PositionState.EXITING])
def test_a_slot_that_becomes_cores_meanwhile_is_released(
    touched: GuardedPosition, market: SimulatorProcess, state: PositionState
) -> None:
    exit_that_waits(touched, lambda: factories.core_position("BTCUSDT", state=state))

    assert our_orders(market) == []
    assert touched.state == GuardState.RELEASED


@pytest.mark.parametrize("state", [PositionState.ARMED, PositionState.CLOSED, PositionState.CANCELLED])
def test_a_position_that_core_does_not_hold_does_not_stand_in_the_way(
    touched: GuardedPosition, market: SimulatorProcess, state: PositionState
) -> None:
    exit_that_waits(touched, lambda: factories.core_position("BTCUSDT", state=state))

    assert len(our_orders(market)) == 1
    assert touched.state == GuardState.CLOSED


def test_an_exemption_made_meanwhile_is_respected(touched: GuardedPosition, market: SimulatorProcess) -> None:
    exit_that_waits(touched, lambda: exempt(touched))

    assert our_orders(market) == []
    assert touched.state == GuardState.GUARDING
    assert not OrderIntent.objects.exists()


def test_a_touch_that_is_forgotten_meanwhile_is_not_acted_on(
    touched: GuardedPosition, market: SimulatorProcess, account: Account
) -> None:
    def move_the_stop() -> None:
        GuardedPosition.objects.filter(pk=touched.pk).update(stop_price=Decimal(50_000), touched_price=None)

    exit_that_waits(touched, move_the_stop)

    assert our_orders(market) == []
    assert touched.state == GuardState.GUARDING
