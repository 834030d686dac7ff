"""The owner closes a part of Core's position by hand, and opens more again: that is his, and is guarded."""

from datetime import timedelta
from decimal import Decimal

import pytest

from safetynet import services
from safetynet.models import GuardedPosition
from tests.safetynet.support import approximately, live_guard
from tests.trading.world import SYMBOL, World
from trading import reconciliation
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Position

pytestmark = pytest.mark.django_db(transaction=True)

SECOND_LOOK = (reconciliation.GRACE + timedelta(seconds=1)).total_seconds()
TAKEN, LOT = Decimal("0.00300"), Decimal("0.00001")


def look_twice(world: World) -> None:
    reconciliation.reconcile(world.account, world.desk)
    reconciliation.reconcile(world.account, world.later(SECOND_LOOK))


def reduced(world: World, side: Side, collateral: Decimal = Decimal(0)) -> Position:
    """A position of Core's of about 0.0076 BTC, of which 0.003 are closed by hand, and found to be gone."""
    position = world.enter(side)
    before = position.quantity
    if collateral:
        world.give_base(str(before + collateral))
    world.control.trade(side.exit_order, TAKEN, symbol=SYMBOL)
    look_twice(world)
    position.refresh_from_db()
    assert approximately(position.quantity, str(before - TAKEN))
    return position


@pytest.mark.parametrize("side", list(Side))
def test_what_is_opened_again_by_hand_is_guarded_at_its_own_price(world: World, side: Side) -> None:
    position = reduced(world, side)
    world.control.price(SYMBOL, "60500")
    world.control.trade(side.entry_order, TAKEN, symbol=SYMBOL)

    services.poll(world.account, world.desk)

    guard = live_guard()
    assert (guard.slot.position_side, guard.beside_position_id) == (side, position.pk)
    assert approximately(guard.quantity, str(TAKEN))
    assert (approximately(guard.entry_price, "60500"), guard.entry_is_provisional) == (True, False)
    assert guard.quantity + position.quantity <= abs(world.pair().base.net)


def test_collateral_beside_it_stays_collateral(world: World) -> None:
    reduced(world, Side.LONG, collateral=Decimal("0.5"))
    world.control.trade("BUY", TAKEN, symbol=SYMBOL)

    services.poll(world.account, world.desk)

    assert approximately(live_guard().quantity, str(TAKEN))


def test_a_part_that_is_put_back_before_it_is_missed_stays_cores(world: World) -> None:
    position = world.enter()
    world.control.trade("SELL", TAKEN, symbol=SYMBOL)
    reconciliation.reconcile(world.account, world.desk)
    world.control.trade("BUY", TAKEN, symbol=SYMBOL)
    reconciliation.reconcile(world.account, world.later(SECOND_LOOK))

    services.poll(world.account, world.desk)

    assert Position.objects.get().quantity == position.quantity
    assert not GuardedPosition.objects.exists()


def test_core_and_the_safety_net_each_sell_their_own_part(world: World) -> None:
    position = reduced(world, Side.LONG)
    world.control.trade("BUY", TAKEN, symbol=SYMBOL)
    services.poll(world.account, world.desk)
    world.settle(world.request_exit(position))
    guard = live_guard()
    world.control.price(SYMBOL, "58000")

    (due,) = services.poll(world.account, world.desk).exits_requested
    services.exit_guard(due, world.desk)

    guard.refresh_from_db()
    position.refresh_from_db()
    assert (position.state, guard.end_reason) == (PositionState.CLOSED, "safety stop")
    cores, owners = (Decimal(order["executed"]) for order in world.orders("SELL"))
    assert 0 <= position.quantity - cores < LOT
    assert 0 <= guard.quantity - owners < LOT
    assert world.violations() == []
