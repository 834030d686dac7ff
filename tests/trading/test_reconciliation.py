"""Positions that the owner, or the exchange, closed outside Robson."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.trading.world import SYMBOL, World, interpose
from trading import reconciliation
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side, SymbolRules
from trading.exchange.errors import OutcomeUnknown, Refused
from trading.models import Event, Position

pytestmark = pytest.mark.django_db(transaction=True)

SECOND_LOOK = (reconciliation.GRACE + timedelta(seconds=1)).total_seconds()


def look_twice(world: World) -> None:
    reconciliation.reconcile(world.account, world.desk)
    reconciliation.reconcile(world.account, world.later(SECOND_LOOK))


def kinds(position: Position) -> list[str]:
    return list(Event.objects.filter(position=position).values_list("kind", flat=True))


def test_a_position_that_is_there_is_left_alone(world: World) -> None:
    position = world.enter()
    look_twice(world)
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert position.missing_since is None


def test_a_long_sold_by_hand_is_closed_with_the_price_of_that_sale(world: World) -> None:
    position = world.enter()
    world.control.price(SYMBOL, "61000")
    world.control.trade("SELL", world.pair().base.free.quantize(Decimal("0.00001")), symbol=SYMBOL)
    look_twice(world)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert position.exit_reason == "closed outside Robson"
    assert position.exit_price == Decimal(61_000)
    assert not world.orders("SELL")


def test_a_short_bought_back_by_hand_is_closed(world: World) -> None:
    position = world.enter(Side.SHORT)
    owed = -world.pair().base.net
    world.control.trade(
        "BUY", (owed / Decimal("0.999")).quantize(Decimal("0.00001")) + Decimal("0.00001"), symbol=SYMBOL
    )
    look_twice(world)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED


def test_one_look_concludes_nothing(world: World) -> None:
    position = world.enter()
    world.control.trade("SELL", world.pair().base.free.quantize(Decimal("0.00001")), symbol=SYMBOL)
    reconciliation.reconcile(world.account, world.desk)
    reconciliation.reconcile(world.account, world.desk)
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert kinds(position).count(EventKind.POSITION_MISSING) == 1


def test_a_part_sold_by_hand_reduces_the_position_and_keeps_its_stop(world: World) -> None:
    position = world.enter()
    before, stop = position.quantity, position.stop_price
    world.control.trade("SELL", "0.00300", symbol=SYMBOL)
    look_twice(world)
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert position.quantity == before - Decimal("0.003")
    assert position.stop_price == stop
    assert EventKind.POSITION_REDUCED in kinds(position)


def test_a_long_sold_by_hand_is_closed_although_the_owner_has_coins_beside_it(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    world.control.trade("SELL", position.quantity.quantize(Decimal("0.00001")), symbol=SYMBOL)
    look_twice(world)
    position.refresh_from_db()
    assert (position.state, position.exit_reason) == (PositionState.CLOSED, "closed outside Robson")
    assert not world.orders("SELL")


def test_a_part_sold_by_hand_beside_coins_reduces_the_position_once(world: World) -> None:
    position = world.enter()
    before = position.quantity
    world.give_base("1")
    world.control.trade("SELL", "0.00300", symbol=SYMBOL)
    look_twice(world)
    look_twice(world)
    position.refresh_from_db()
    assert (position.state, position.quantity) == (PositionState.ACTIVE, before - Decimal("0.003"))
    assert kinds(position).count(EventKind.POSITION_REDUCED) == 1


def test_coins_beside_a_long_and_what_was_bought_and_sold_again_are_no_loss_of_it(world: World) -> None:
    position = world.enter()
    before = position.quantity
    world.give_base("1")
    world.control.trade("BUY", "0.00501", symbol=SYMBOL)
    world.control.trade("SELL", "0.00500", symbol=SYMBOL)
    look_twice(world)
    position.refresh_from_db()
    assert (position.state, position.quantity) == (PositionState.ACTIVE, before)
    assert position.missing_since is None


def test_coins_that_no_trade_explains_are_announced_and_the_stop_stays(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = world.enter()
    pair = world.pair()
    empty = type(pair)(pair.symbol, type(pair.base)("BTC", *[Decimal(0)] * 4), pair.quote)
    desk = interpose(world, margin_pairs=lambda _symbols=(): {SYMBOL: empty})
    reconciliation.reconcile(world.account, desk)
    later = type(desk)(desk.exchange, desk.holder, world.later(SECOND_LOOK).clock)
    reconciliation.reconcile(world.account, later)
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert "no trade tells why" in caplog.text


def test_balances_that_come_back_end_the_suspicion(world: World) -> None:
    position = world.enter()
    world.control.trade("SELL", "0.00300", symbol=SYMBOL)
    reconciliation.reconcile(world.account, world.desk)
    world.control.trade("BUY", "0.00301", symbol=SYMBOL)
    reconciliation.reconcile(world.account, world.later(SECOND_LOOK))
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert position.missing_since is None
    assert EventKind.POSITION_FOUND in kinds(position)


def test_a_failed_question_is_not_flat(world: World) -> None:
    position = world.enter()

    def failing(_symbols: object = ()) -> None:
        raise OutcomeUnknown("no answer")

    with pytest.raises(OutcomeUnknown):
        reconciliation.reconcile(world.account, interpose(world, margin_pairs=failing))
    position.refresh_from_db()
    assert position.missing_since is None


def test_a_symbol_that_is_not_traded_any_more_keeps_no_other_from_being_looked_at(world: World) -> None:
    delisted = factories.core_position("ETHUSDT", of=world.account, entry="3000")
    sold = world.enter()
    world.control.trade("SELL", world.pair().base.free.quantize(Decimal("0.00001")), symbol=SYMBOL)

    def rules(symbol: str) -> SymbolRules:
        if symbol == "ETHUSDT":
            raise Refused("Invalid symbol.", code=-1121)
        return world.exchange.symbol_rules(symbol)

    reconciliation.reconcile(world.account, interpose(world, symbol_rules=rules))
    for position in (sold, delisted):
        position.refresh_from_db()
    assert sold.missing_since is not None
    assert (delisted.state, delisted.missing_since) == (PositionState.ACTIVE, None)


def test_an_answer_without_the_pair_is_not_flat(world: World) -> None:
    position = world.enter()
    desk = interpose(world, margin_pairs=lambda _symbols=(): {})
    reconciliation.reconcile(world.account, desk)
    position.refresh_from_db()
    assert position.missing_since is None


def test_what_is_left_after_a_sale_by_hand_is_all_that_an_exit_sells(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    bought = position.quantity
    stale = Position.objects.select_related("slot__account").get(pk=position.pk)
    Position.objects.filter(pk=position.pk).update(quantity=Decimal("0.004"))
    intent = world.settle(world.request_exit(stale))
    assert intent.executed_quantity == Decimal("0.004") < bought
