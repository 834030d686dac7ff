"""The owner buys more by hand where Core is already: his part is guarded, Core's is not touched."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from robson.local.simulator import SimulatorProcess
from safetynet import guarding, inspecting, observing, services
from safetynet.models import GuardedPosition
from tests import factories
from tests.safetynet.support import Poll, approximately, eventually, live_guard, our_orders, violations
from trading import execution
from trading.domain.lifecycle import GuardState, IntentState, PositionState
from trading.domain.types import Side
from trading.execution import Desk
from trading.models import OrderAttempt, OrderIntent, Position
from trading.models.intent import AttemptStatus, Owner, Purpose

pytestmark = pytest.mark.django_db(transaction=True)

CORE_QUANTITY = Decimal("0.01998")


def recorded(position: Position, purpose: Purpose, order: dict[str, Any]) -> None:
    """An order on the exchange is one of Core's, for this position."""
    intent = factories.intent(
        position.slot, purpose=purpose, owner=Owner.CORE, state=IntentState.DONE, position=position
    )
    OrderAttempt.objects.create(
        intent=intent,
        number=1,
        client_order_id=f"core-{intent.pk}",
        status=AttemptStatus.EXECUTED,
        timestamp_ms=0,
        order_id=str(order["order_id"]),
    )


@pytest.fixture
def core(market: SimulatorProcess) -> Position:
    """Core's long of 0.02 BTC (less commission) at 60,000, with its order; its own stop is far away."""
    order = market.control.trade("BUY", "0.02", symbol="BTCUSDT")
    position = factories.core_position("BTCUSDT", Side.LONG, quantity=CORE_QUANTITY, distance="5000")
    recorded(position, Purpose.ENTRY, order)
    return position


@pytest.fixture
def surplus(core: Position, market: SimulatorProcess, poll: Poll) -> GuardedPosition:
    """0.01 BTC (less commission) bought by hand at 62,000, beside Core's."""
    market.control.price("BTCUSDT", "62000")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    return live_guard()


def test_only_the_surplus_is_guarded_at_its_own_price(surplus: GuardedPosition, core: Position) -> None:
    assert surplus.quantity == Decimal("0.00999")
    assert approximately(surplus.entry_price, "62000")
    assert surplus.beside_position_id == core.pk


def test_the_slot_stays_skipped_as_cores(surplus: GuardedPosition, poll: Poll) -> None:
    report = poll()

    assert (report.skipped, report.monitored, report.released) == (1, 1, 0)


def test_the_exit_sells_the_surplus_and_nothing_of_cores(
    surplus: GuardedPosition, poll: Poll, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.price("BTCUSDT", "60700")
    (due,) = poll().exits_requested

    services.exit_guard(due, desk)

    (order,) = our_orders(market)
    assert Decimal(order["executed"]) == Decimal("0.00999")
    left = desk.exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.net
    assert left == CORE_QUANTITY
    assert GuardedPosition.objects.get().state == GuardState.CLOSED
    assert Position.objects.get().state == PositionState.ACTIVE
    assert violations(market) == []


def test_a_surplus_sold_by_hand_before_the_exit_leaves_cores_part_alone(
    surplus: GuardedPosition, poll: Poll, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.price("BTCUSDT", "60700")
    (due,) = poll().exits_requested
    market.control.trade("SELL", "0.00999", symbol="BTCUSDT")

    services.exit_guard(due, desk)

    assert our_orders(market) == []
    assert GuardedPosition.objects.get().end_reason == "safety stop: found flat"
    assert desk.exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.net == CORE_QUANTITY


def test_a_surplus_sold_by_hand_between_two_attempts_leaves_cores_part_alone(
    surplus: GuardedPosition, poll: Poll, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.price("BTCUSDT", "60700")
    (due,) = poll().exits_requested
    market.control.fault("error_code", path="/sapi/v1/margin/order", method="POST", code=-1013, msg="no")
    services.exit_guard(due, desk)
    assert OrderIntent.objects.get(guard_id=due).state == IntentState.PENDING
    market.control.clear_faults()
    market.control.trade("SELL", "0.00999", symbol="BTCUSDT")

    eventually(lambda: _settled(due, desk))

    assert our_orders(market) == []
    assert desk.exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.net == CORE_QUANTITY


@pytest.fixture
def core_short(market: SimulatorProcess, poll: Poll) -> Position:
    """Core's short of 0.5 ETH at 3,000, and 0.3 ETH that the owner sold by hand at 3,100 beside it."""
    order = market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    core = factories.core_position("ETHUSDT", Side.SHORT, quantity="0.5", entry="3000", distance="500")
    recorded(core, Purpose.ENTRY, order)
    market.control.price("ETHUSDT", "3100")
    market.control.trade("SELL", "0.3", symbol="ETHUSDT")
    poll()
    return core


def test_a_surplus_bought_back_by_hand_before_the_exit_leaves_cores_short_alone(
    core_short: Position, poll: Poll, desk: Desk, market: SimulatorProcess
) -> None:
    """A debt is never anybody's collateral: nothing but Core's own record says that it is not the owner's."""
    market.control.price("ETHUSDT", "3200")
    (due,) = poll().exits_requested
    market.control.trade("BUY", "0.3003", symbol="ETHUSDT")

    services.exit_guard(due, desk)

    assert our_orders(market) == []
    assert GuardedPosition.objects.get().end_reason == "safety stop: found flat"
    assert desk.exchange.margin_pairs(["ETHUSDT"])["ETHUSDT"].base.net <= Decimal("-0.4999")


def test_beside_a_short_of_cores_only_what_the_owner_sold_more_is_guarded(core_short: Position) -> None:
    core, guard = core_short, live_guard()
    assert (guard.slot.position_side, guard.beside_position_id) == (Side.SHORT, core.pk)
    assert (guard.quantity, approximately(guard.entry_price, "3100")) == (Decimal("0.3"), True)


def core_exits(core: Position, market: SimulatorProcess) -> None:
    """By an order of its own, which is recorded."""
    sold = market.control.trade("SELL", CORE_QUANTITY, symbol="BTCUSDT")
    recorded(core, Purpose.EXIT, sold)
    Position.objects.filter(pk=core.pk).update(state=PositionState.CLOSED)


def test_the_price_a_surplus_was_closed_at_by_hand_is_not_that_of_cores_exit(
    surplus: GuardedPosition, core: Position, poll: Poll, market: SimulatorProcess
) -> None:
    core_exits(core, market)
    market.control.price("BTCUSDT", "65000")
    market.control.trade("SELL", "all", symbol="BTCUSDT")

    assert poll().closed == 1

    surplus.refresh_from_db()
    assert surplus.exit_price is not None
    assert approximately(surplus.exit_price, "65000")


def test_a_surplus_survives_the_end_of_cores_position(
    surplus: GuardedPosition, core: Position, poll: Poll, market: SimulatorProcess
) -> None:
    core_exits(core, market)

    report = poll()

    after = live_guard()
    assert (report.skipped, report.monitored, after.pk) == (0, 1, surplus.pk)
    assert (after.quantity, after.entry_price) == (surplus.quantity, surplus.entry_price)
    assert after.beside_position_id is None


def test_a_surplus_below_a_lot_is_nobodys(core: Position, poll: Poll) -> None:
    Position.objects.filter(pk=core.pk).update(quantity=CORE_QUANTITY - Decimal("0.000009"))

    report = poll()

    assert (report.skipped, report.opened) == (1, 0)


def test_an_entry_on_its_way_has_no_surplus(core: Position, poll: Poll, market: SimulatorProcess) -> None:
    Position.objects.filter(pk=core.pk).update(state=PositionState.ENTERING, quantity=0)

    report = poll()

    assert (report.skipped, report.opened, report.monitored) == (1, 0, 0)


def _settled(guard_id: int, desk: Desk) -> bool:
    intent = OrderIntent.objects.get(guard_id=guard_id)
    execution.execute(intent.pk, desk)
    intent.refresh_from_db()
    return intent.state == IntentState.DONE


def core_takes_over(quantity: str) -> Position:
    """Core owns so much of what the owner's guard stands for: its entry came between two polls."""
    return factories.core_position("BTCUSDT", Side.LONG, quantity=Decimal(quantity), distance="5000")


def test_a_guard_of_before_is_released_and_what_is_beside_cores_part_is_guarded_anew(
    market: SimulatorProcess, poll: Poll
) -> None:
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")
    poll()
    before = live_guard()
    core = core_takes_over("0.01")

    report = poll()

    before.refresh_from_db()
    anew = live_guard()
    assert (before.state, report.released, report.failures) == (GuardState.RELEASED, 1, [])
    assert (anew.beside_position_id, approximately(anew.quantity, "0.01997")) == (core.pk, True)


def test_a_release_with_too_little_beside_it_leaves_the_other_positions_their_poll(
    market: SimulatorProcess, poll: Poll
) -> None:
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.trade("SELL", "0.02", symbol="BTCUSDT")
    core_takes_over("0.00995")
    market.control.trade("SELL", "1", symbol="ETHUSDT")

    report = poll()

    before.refresh_from_db()
    assert (before.state, report.failures) == (GuardState.RELEASED, [])
    assert live_guard().slot.symbol == "ETHUSDT"


def test_an_error_that_nobody_expected_in_one_slot_ends_neither_the_poll_nor_its_turn(
    market: SimulatorProcess, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")
    market.control.trade("SELL", "1", symbol="ETHUSDT")
    really = inspecting.inspect

    def surprised(account: Any, sight: Any, situation: Any, *more: Any) -> Any:
        if situation.slot.symbol == "BTCUSDT":
            raise RuntimeError("a surprise")
        return really(account, sight, situation, *more)

    monkeypatch.setattr(inspecting, "inspect", surprised)
    (failure,) = poll().failures
    assert "a surprise" in failure
    assert live_guard().slot.symbol == "ETHUSDT"
    monkeypatch.setattr(inspecting, "inspect", really)
    assert poll().opened == 1


def test_an_error_that_nobody_expected_ends_the_turn(poll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(observing, "situations", lambda *_: 1 / 0)
        (failure,) = poll().failures
    assert "division" in failure
    assert poll().ran


def test_a_row_that_the_database_refuses_leaves_the_other_positions_their_poll(
    market: SimulatorProcess, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")
    market.control.trade("SELL", "1", symbol="ETHUSDT")
    really = guarding._opened

    def without_quantity(slot: Any, finding: Any) -> dict[str, Any]:
        return really(slot, finding) | ({"quantity": 0} if slot.symbol == "BTCUSDT" else {})

    monkeypatch.setattr(guarding, "_opened", without_quantity)
    (failure,) = poll().failures
    assert "guarding_implies_a_stop" in failure
    assert live_guard().slot.symbol == "ETHUSDT"


def test_a_slot_that_the_database_refuses_leaves_the_other_positions_their_poll(
    market: SimulatorProcess, poll: Poll
) -> None:
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")
    market.control.trade("BUY", "1", symbol="ETHUSDT")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_slot ADD CONSTRAINT no_btc CHECK (symbol <> 'BTCUSDT')")
    try:
        (failure,) = poll().failures
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE trading_slot DROP CONSTRAINT no_btc")
    assert "no_btc" in failure
    assert live_guard().slot.symbol == "ETHUSDT"
