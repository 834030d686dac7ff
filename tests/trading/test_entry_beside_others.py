"""What may stand in the slot, or in its pair, when Core enters, and what keeps it from entering."""

from decimal import Decimal

import pytest

from tests import factories
from tests.domain.factories import own_trade
from tests.trading.test_entry_orders import enter
from tests.trading.world import PRICE, SYMBOL, World, interpose, signal_for
from trading import entry
from trading.domain.lifecycle import IntentState, PositionState
from trading.domain.types import OrderSide, OwnTrade, Side
from trading.exchange.errors import ExchangeError


def test_nothing_is_entered_while_an_exit_is_under_way_in_the_slot(world: World) -> None:
    position = world.armed()
    factories.intent(position.slot)
    assert not enter(world, position)
    assert "an exit is under way" in position.note
    assert world.orders() == []


def test_nothing_is_entered_beside_a_manual_position(world: World) -> None:
    world.control.trade("BUY", "0.01", symbol=SYMBOL)
    position = world.armed()
    assert not enter(world, position)
    assert "already a position" in position.note
    assert world.orders() == []


def days_ago(world: World, side: str, quantity: str) -> None:
    """The owner has traded by hand two days ago, at half the price."""
    world.control.fault("clock_skew_ms", ms=-2 * 86_400_000)
    world.control.price(SYMBOL, "30000")
    world.control.trade(side, quantity, symbol=SYMBOL)
    world.control.clear_faults()
    world.control.price(SYMBOL, PRICE)


def test_nothing_is_entered_beside_a_manual_position_that_is_older_than_a_day(world: World) -> None:
    days_ago(world, "BUY", "0.05")
    position = world.armed()
    assert not enter(world, position)
    assert "already a position" in position.note
    assert world.orders() == []


def test_what_the_last_day_tells_counts_whatever_was_before(world: World) -> None:
    """All trades together come to less than nothing: what was sold then had been transferred in."""
    world.give_base("0.05")
    days_ago(world, "SELL", "0.05")
    world.control.trade("BUY", "0.01", symbol=SYMBOL)
    position = world.armed()
    assert not enter(world, position)
    assert "already a position" in position.note


@pytest.mark.parametrize(("exits", "entered"), [(9, False), (10, True)])
def test_what_exits_have_left_in_the_course_of_time_is_no_position(
    world: World, exits: int, entered: bool
) -> None:
    """Less than a lot each, which comes to ten lots here: more than the exchange's minimum."""
    world.give_base("0.0001")
    position = world.armed()
    for _ in range(exits):
        factories.intent(position.slot, state=IntentState.DONE)
    left = [own_trade(1, OrderSide.BUY, "0.0001", PRICE)]

    def trades(symbol: str, from_id: int | None = None) -> list[OwnTrade]:
        return [] if from_id is None else left

    desk = interpose(world, trades=trades)
    assert entry.enter(position=position, signal=signal_for(position), desk=desk) is entered


@pytest.mark.parametrize("side", list(Side))
def test_nothing_is_entered_beside_a_debt(world: World, side: Side) -> None:
    world.control.trade("SELL", "0.01", symbol=SYMBOL)
    position = world.armed(side)
    assert not enter(world, position)
    assert "owes" in position.note
    assert world.orders() == []


def test_nothing_is_entered_beside_the_owners_open_order(world: World) -> None:
    world.sim(
        "trade", symbol=SYMBOL, side="BUY", quantity="0.001", type="LIMIT", price="50000", time_in_force="GTC"
    )
    position = world.armed()
    assert not enter(world, position)
    assert "open orders" in position.note


def test_long_may_stand_beside_the_owners_collateral(world: World) -> None:
    world.give_base("0.5")
    position = world.enter()
    world.settle(world.request_exit(position))
    assert world.pair().base.net >= Decimal("0.5")
    assert world.violations() == []


def test_short_is_not_entered_with_the_owners_coins(world: World) -> None:
    """The sale would take the collateral instead of a loan, and nothing would tell what to buy back."""
    world.give_base("0.5")
    position = world.armed(Side.SHORT)
    assert not enter(world, position)
    assert "0.5" in position.note
    assert world.orders() == []


def test_exchange_that_cannot_be_asked_changes_nothing(world: World) -> None:
    position = world.armed()
    world.control.fault("http_status", status=503, path="isolated/account", count=1)
    with pytest.raises(ExchangeError):
        entry.enter(position=position, signal=signal_for(position), desk=world.desk)
    position.refresh_from_db()
    assert position.state == PositionState.ARMED
    assert enter(world, position)
    assert position.state == "active"


def test_position_too_small_by_now_is_refused_with_the_reason(world: World) -> None:
    position = world.armed(capital=Decimal(5))
    assert not enter(world, position)
    assert position.state == "cancelled"
    assert "too small" in position.note
