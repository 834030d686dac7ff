"""A long beside coins of the owner's: what he has sold by hand is gone, and his coins are not sold for it."""

import logging
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.world import SYMBOL, World, interpose
from trading import reconciliation
from trading.domain.lifecycle import IntentState, PositionState
from trading.exchange.errors import RetryLater
from trading.models import OrderIntent, Position

pytestmark = pytest.mark.django_db(transaction=True)

LOT = Decimal("0.00001")
MANY, FEW = Decimal("0.5"), Decimal("0.003")


def entered_beside(world: World, coins: Decimal) -> Position:
    """A long of Core's of about 0.0076 BTC, and so many coins beside it."""
    position = world.enter()
    world.give_base(str(position.quantity + coins))
    return position


def sold_by_hand(world: World, quantity: Decimal) -> None:
    world.control.trade("SELL", str(quantity.quantize(LOT)), symbol=SYMBOL)


def exited(world: World, position: Position) -> OrderIntent:
    intent = world.settle(world.request_exit(position))
    position.refresh_from_db()
    return intent


def sold(world: World) -> Decimal:
    return sum((Decimal(order["executed"]) for order in world.orders("SELL")), Decimal(0))


@pytest.mark.parametrize("coins", [MANY, FEW])
def test_an_exit_sells_nothing_for_a_long_that_was_sold_by_hand(world: World, coins: Decimal) -> None:
    position = entered_beside(world, coins)
    sold_by_hand(world, position.quantity)
    intent = exited(world, position)
    assert (intent.state, position.state) == (IntentState.DONE, PositionState.CLOSED)
    assert (world.orders("SELL"), world.violations()) == ([], [])


@pytest.mark.parametrize("coins", [MANY, FEW])
def test_an_exit_sells_what_a_sale_by_hand_has_left(world: World, coins: Decimal) -> None:
    position = entered_beside(world, coins)
    sold_by_hand(world, Decimal("0.005"))
    exited(world, position)
    assert abs(position.quantity - Decimal("0.005") - sold(world)) < LOT
    assert (position.state, world.violations()) == (PositionState.CLOSED, [])


def test_an_order_of_its_own_that_was_filled_in_part_is_no_sale_by_hand(world: World) -> None:
    position = entered_beside(world, MANY)
    sold_by_hand(world, Decimal("0.001"))
    world.control.fault("partial_fill", ratio="0.5", count=1)
    exited(world, position)
    assert len(world.orders("SELL")) == 2
    assert abs(position.quantity - Decimal("0.001") - sold(world)) < LOT
    assert world.violations() == []


def test_what_the_owner_buys_more_is_not_sold_with_it(world: World) -> None:
    position = entered_beside(world, MANY)
    world.control.trade("BUY", "0.00400", symbol=SYMBOL)
    sold_by_hand(world, Decimal("0.001"))
    exited(world, position)
    assert abs(position.quantity - sold(world)) < LOT


def test_a_stop_does_not_wait_for_trades_that_cannot_be_read(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = entered_beside(world, MANY)

    def unreadable(*_: Any, **__: Any) -> Any:
        raise RetryLater("too many requests", after_s=5)

    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        world.settle(world.request_exit(position), interpose(world, trades=unreadable))
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert abs(position.quantity - sold(world)) < LOT
    assert "going by the balances" in caplog.text


def test_coins_alone_cost_an_exit_no_question_and_no_coin(world: World) -> None:
    position = world.enter()
    asked: list[str] = []

    def trades(symbol: str, **which: Any) -> Any:
        asked.append(symbol)
        return world.exchange.trades(symbol, **which)

    world.settle(world.request_exit(position), interpose(world, trades=trades))
    assert (asked, len(world.orders("SELL"))) == ([], 1)


def test_a_long_that_was_sold_by_hand_is_not_replaced_by_fewer_coins_beside_it(world: World) -> None:
    position = entered_beside(world, FEW)
    sold_by_hand(world, position.quantity)
    reconciliation.reconcile(world.account, world.desk)
    reconciliation.reconcile(world.account, world.later(16))
    position.refresh_from_db()
    assert (position.state, position.exit_reason) == (PositionState.CLOSED, "closed outside Robson")
