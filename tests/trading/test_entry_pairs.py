"""Long and short of one symbol share the pair: one entry at a time, and none beside an order still abroad."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest
from django.db import connection

from tests import factories
from tests.trading.world import SYMBOL, World, signal_for
from trading import entry, gateway, recording
from trading.domain.lifecycle import IntentState, PositionState
from trading.domain.types import Side
from trading.exchange.port import Exchange
from trading.execution import Desk
from trading.models import Account, OrderAttempt, Position
from trading.models.intent import AttemptStatus, Owner


class _Meeting:
    """The real exchange; whoever has found the pair empty waits for the others before going on."""

    def __init__(self, exchange: Exchange, arrive: Callable[[], Any]) -> None:
        self._exchange, self._arrive = exchange, arrive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def open_orders(self, symbol: str) -> Any:
        found = self._exchange.open_orders(symbol)
        self._arrive()
        return found


def meeting(desk: Desk, arrive: Callable[[], Any]) -> Desk:
    return replace(desk, exchange=cast(Exchange, _Meeting(desk.exchange, arrive)))


def enter(world: World, position: Position, arrive: Callable[[], Any] = lambda: None) -> Position:
    """Act on a crossover; `arrive` is called when the exchange has shown the pair to be empty."""
    entry.enter(position=position, signal=signal_for(position), desk=meeting(world.desk, arrive))
    return Position.objects.get(pk=position.pk)


def test_crossovers_of_long_and_short_at_once_open_one_position(world: World) -> None:
    positions = [world.armed(side) for side in Side]
    barrier = threading.Barrier(len(positions), timeout=10)

    def act(position: Position) -> None:
        desk = gateway.desk_for(world.account)
        try:
            entry.enter(position=position, signal=signal_for(position), desk=meeting(desk, barrier.wait))
        finally:
            desk.exchange.close()  # type: ignore[attr-defined]  # the port has no end, the connection has
            connection.close()

    with ThreadPoolExecutor(len(positions)) as threads:
        list(threads.map(act, positions))
    states = sorted(Position.objects.values_list("state", flat=True))
    assert states == [PositionState.ACTIVE, PositionState.CANCELLED]
    assert len(world.orders()) == 1
    assert "Core already has a position" in Position.objects.get(state=PositionState.CANCELLED).note


@pytest.mark.parametrize("state", [PositionState.ENTERING, PositionState.ACTIVE, PositionState.EXITING])
def test_entry_is_refused_while_core_owns_the_other_side(world: World, state: PositionState) -> None:
    entered = enter(world, world.armed(), lambda: factories.core_position(SYMBOL, Side.SHORT, state=state))
    assert entered.state == PositionState.CANCELLED
    assert f"Core already has a position in {SYMBOL} Short" in entered.note
    assert not world.orders()


def test_entry_is_refused_while_a_safety_exit_is_live_on_the_other_side(world: World) -> None:
    slot = factories.slot(side=Side.SHORT)
    entered = enter(world, world.armed(), lambda: factories.intent(slot, owner=Owner.SAFETY_NET, guard_id=1))
    assert entered.state == PositionState.CANCELLED
    assert f"an exit is under way in {SYMBOL} Short" in entered.note
    assert not world.orders()


@pytest.mark.parametrize(
    ("status", "error"),
    [(AttemptStatus.UNKNOWN, "timed out"), (AttemptStatus.NOT_EXECUTED, recording.NEVER_ACCEPTED)],
)
def test_no_entry_while_an_order_that_was_not_found_may_still_arrive(
    world: World, status: AttemptStatus, error: str
) -> None:
    attempt_of(world, status=status, error=error, age_ms=0)
    entered = enter(world, world.armed())
    assert entered.state == PositionState.CANCELLED
    assert "may still reach the exchange" in entered.note
    assert not world.orders()


def test_an_order_that_was_not_found_is_forgotten_after_the_fence(world: World) -> None:
    attempt_of(world, status=AttemptStatus.NOT_EXECUTED, error=recording.NEVER_ACCEPTED, age_ms=1_100)
    assert enter(world, world.armed()).state == PositionState.ACTIVE


def test_an_order_that_was_refused_keeps_nobody_out(world: World) -> None:
    attempt_of(world, status=AttemptStatus.NOT_EXECUTED, error="insufficient balance", age_ms=0)
    assert enter(world, world.armed()).state == PositionState.ACTIVE


def attempt_of(world: World, *, status: AttemptStatus, error: str, age_ms: int) -> OrderAttempt:
    """The attempt of an exit that is over, signed some time ago."""
    intent = factories.intent(factories.slot(), state=IntentState.DONE, settled_at=factories.NOON)
    return OrderAttempt.objects.create(
        intent=intent,
        number=1,
        client_order_id="earlier",
        status=status,
        error=error,
        timestamp_ms=world.exchange.now_ms() - age_ms,
    )


def test_entries_paused_between_the_look_and_the_commit_stop_the_entry(world: World) -> None:
    entered = enter(world, world.armed(), lambda: Account.objects.update(entries_paused=True))
    assert entered.state == PositionState.CANCELLED
    assert "entries are paused" in entered.note
    assert not world.orders()
