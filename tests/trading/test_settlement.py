"""What is recorded is what the exchange's own ledger says, to the last digit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from tests import factories
from tests.trading.world import SYMBOL, World, signal_for
from trading import bus, entry, fills
from trading.domain.events import CorePositionClosed, CorePositionOpened
from trading.domain.lifecycle import IntentState
from trading.domain.rounding import to_wire
from trading.domain.types import Side
from trading.models import Event, Position
from trading.models.intent import Purpose


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Everything that Core publishes during the test."""
    facts: list[Any] = []
    saved = {kind: list(listeners) for kind, listeners in bus._listeners.items()}
    bus.subscribe(CorePositionOpened, facts.append)
    bus.subscribe(CorePositionClosed, facts.append)
    yield facts
    bus._listeners.clear()
    bus._listeners.update(saved)


def quote_wealth(world: World) -> Decimal:
    """Quote currency in the pair after its debts."""
    return world.pair().quote.net


def closed(world: World, position: Position) -> Position:
    world.settle(world.request_exit(position))
    position.refresh_from_db()
    return position


@pytest.mark.parametrize("exit_price", ["63000", "57000"])
@pytest.mark.parametrize("side", list(Side))
def test_profit_is_the_change_of_the_quote_balance_less_interest(
    world: World, side: Side, exit_price: str
) -> None:
    before = quote_wealth(world)
    position = world.enter(side)
    world.control.price(SYMBOL, exit_price)
    position = closed(world, position)
    assert position.state == "closed"
    assert position.realised_pnl is not None
    # A short's interest is paid in base currency, which the purchase of the debt contains; a long's is quote.
    assert abs(position.realised_pnl - (quote_wealth(world) - before)) < Decimal("0.00000001")
    assert (position.realised_pnl > 0) == ((exit_price == "63000") == (side is Side.LONG))


@pytest.mark.parametrize("entries", [0, 1])
def test_no_profit_is_made_up_where_it_is_not_recorded_what_was_paid(world: World, entries: int) -> None:
    world.give_base("0.01")
    position = factories.core_position()
    for _ in range(entries):
        factories.intent(position.slot, purpose=Purpose.ENTRY, state=IntentState.REFUSED, position=position)
    position = closed(world, position)
    assert position.exit_price == Decimal(60_000)
    assert position.realised_pnl is None


@pytest.mark.parametrize("side", list(Side))
def test_profit_is_of_the_part_that_robson_has_closed(world: World, side: Side) -> None:
    """What the owner closes by hand meanwhile is neither a loss nor a gain of it."""
    position = world.enter(side)
    entry_price, whole = position.entry_price, position.quantity
    assert entry_price is not None
    world.control.trade(side.exit_order, "0.005", symbol=SYMBOL)
    world.control.price(SYMBOL, "61000")
    position = closed(world, position)
    assert Decimal("0.002") < position.exit_quantity < whole - Decimal("0.004")
    assert position.exit_price is not None
    moved = position.exit_price - entry_price if side is Side.LONG else entry_price - position.exit_price
    fees = (entry_price + position.exit_price) * position.exit_quantity * Decimal("0.001")
    assert position.realised_pnl is not None
    assert abs(position.realised_pnl - moved * position.exit_quantity) < 2 * fees


@pytest.mark.parametrize("side", list(Side))
def test_entry_and_exit_are_recorded_as_they_were_filled(world: World, side: Side) -> None:
    # A thin book makes several fills at several prices.
    world.sim("depth", symbol=SYMBOL, levels=100, quantity="0.002")
    position = closed(world, world.enter(side))
    bought_or_sold = {order["side"]: order for order in world.orders()}
    entered, left = bought_or_sold[side.entry_order], bought_or_sold[side.exit_order]
    assert len(entered["fills"]) > 1
    assert position.entry_price is not None
    assert position.exit_price is not None
    assert abs(position.entry_price * Decimal(entered["executed"]) - Decimal(entered["quote_executed"])) < (
        Decimal("0.000001")
    )
    assert abs(position.exit_price * Decimal(left["executed"]) - Decimal(left["quote_executed"])) < (
        Decimal("0.000001")
    )
    assert position.exit_quantity == Decimal(left["executed"])


def test_entry_makes_the_position_known_to_the_last_column(world: World) -> None:
    began = world.desk.clock()
    position = world.enter()
    (order,) = world.orders("BUY")
    intent = position.intents.get()
    assert position.distance == position.entry_price - position.stop_price
    assert position.extreme_price == position.entry_price
    # An order's answer tells when it was executed, not when each of its trades was.
    assert 0 <= position.extreme_time_ms - world.exchange.trades(SYMBOL)[-1].time_ms < 1000
    assert position.binance_position_id == str(order["order_id"])
    assert position.opened_at is not None
    assert intent.settled_at == position.opened_at
    assert began <= position.opened_at <= world.desk.clock()
    event = Event.objects.get(position=position, kind="position.activated")
    assert event.data == {
        "entry": to_wire(position.entry_price),
        "quantity": to_wire(position.quantity),
        "stop": to_wire(position.stop_price),
        "order_id": str(order["order_id"]),
    }


def test_exit_makes_its_end_known_to_the_last_column(world: World) -> None:
    position = world.enter()
    intent = world.settle(world.request_exit(position))
    position.refresh_from_db()
    assert position.closed_at is not None
    assert intent.settled_at == position.closed_at
    assert intent.lease_until is None
    assert intent.attempts.get().answered_at == intent.settled_at
    event = Event.objects.get(position=position, kind="position.closed")
    assert event.data == {
        "price": to_wire(position.exit_price),
        "quantity": to_wire(position.exit_quantity),
        "reason": "test",
        "pnl": to_wire(position.realised_pnl),
    }


def test_commission_in_base_currency_reduces_what_a_long_holds(world: World) -> None:
    position = world.enter()
    intent = position.intents.get()
    assert fills.commission_in(intent, "BTC") == intent.executed_quantity * Decimal("0.001")
    assert position.quantity == intent.executed_quantity - fills.commission_in(intent, "BTC")
    assert position.quantity == world.pair().base.total


def test_commission_in_quote_currency_leaves_a_short_its_whole_quantity(world: World) -> None:
    position = world.enter(Side.SHORT)
    intent = position.intents.get()
    assert position.quantity == intent.executed_quantity
    assert fills.commission_in(intent, "USDT") == intent.executed_quote * Decimal("0.001")


def entered(world: World, position: Position) -> Position:
    entry.enter(position=position, signal=signal_for(position), desk=world.desk)
    position.refresh_from_db()
    return position


def test_percent_stop_is_of_the_price_really_paid(world: World) -> None:
    world.control.price(SYMBOL, "61000")
    position = entered(world, world.armed())
    assert position.entry_price == Decimal("61000.01")
    assert position.stop_price == Decimal("61000.01") * Decimal("0.98")


def test_trailing_offset_in_basis_points_makes_the_first_stop(world: World) -> None:
    position = entered(world, world.armed(Side.SHORT, trailing_bps=500))
    assert position.stop_price == Decimal(60_000) * Decimal("1.05")
    assert position.trailing.offset_bps == 500


def test_stop_waits_for_its_activation_price_behind_the_first_stop(world: World) -> None:
    position = entered(world, world.armed(activation_price=Decimal(63_000)))
    assert position.trailing.extreme is None
    assert position.trailing.stop == position.stop_price == Decimal("60000.01") * Decimal("0.98")
    Position.objects.filter(pk=position.pk).update(extreme_price=Decimal(63_500))
    position.refresh_from_db()
    assert position.trailing.extreme == Decimal(63_500)


def test_opened_and_closed_are_published_with_what_a_listener_needs(world: World, heard: list[Any]) -> None:
    position = world.enter()
    (opened,) = heard
    assert opened == CorePositionOpened(
        position_id=str(position.pk),
        symbol=SYMBOL,
        side=Side.LONG,
        binance_position_id=position.binance_position_id,
        account="main",
        venue=opened.venue,
    )
    closed(world, position)
    assert isinstance(heard[1], CorePositionClosed)
    assert heard[1].slot == position.slot.key


def publish_and_fail(fact: CorePositionClosed) -> None:
    with transaction.atomic():
        bus.publish(fact)
        raise RuntimeError("rolled back")


def test_nothing_is_published_before_or_without_a_commit(world: World, heard: list[Any]) -> None:
    position = factories.core_position()
    fact = CorePositionClosed(str(position.pk), SYMBOL, Side.LONG, "main", position.slot.key.venue)
    with pytest.raises(RuntimeError, match="rolled back"):
        publish_and_fail(fact)
    assert heard == []
    with transaction.atomic():
        bus.publish(fact)
        assert heard == []
    assert heard == [fact]


def test_listener_that_fails_harms_neither_the_record_nor_the_next_listener(
    world: World, heard: list[Any]
) -> None:
    def broken(fact: CorePositionClosed) -> None:
        raise RuntimeError("redis is gone")

    bus._listeners[CorePositionClosed].insert(0, broken)
    position = closed(world, world.enter())
    assert position.state == "closed"
    assert isinstance(heard[-1], CorePositionClosed)


def test_event_log_tells_the_whole_story_of_a_position(world: World) -> None:
    position = closed(world, world.enter())
    kinds = list(Event.objects.filter(position=position).values_list("kind", flat=True))
    assert kinds == [
        "position.entering",
        "intent.claimed",
        "intent.sent",
        "intent.filled",
        "intent.settled",
        "position.activated",
        "position.exit_requested",
        "intent.claimed",
        "intent.sent",
        "intent.filled",
        "intent.settled",
        "position.closed",
    ]
