"""What must be true of an exit whose executors were killed: the exchange's ledger and Robson's record."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from robson.local.simulator import Control
from safetynet.models import GuardedPosition
from tests.faults import crash_replay
from tests.faults.crash_lab import Outcome
from trading.domain.lifecycle import GuardState, IntentState, PositionState
from trading.domain.types import Side
from trading.models import Account, Event, Fill, OrderIntent, Position
from trading.models.intent import Purpose

SIGKILLED = -9


def of_lives(outcome: Outcome, name: str, kills: int) -> Iterator[str]:
    """Each of them was killed, and at its point: else the cell of the matrix would be empty."""
    codes, reached = outcome.codes[name], outcome.reached[name]
    if codes != [SIGKILLED] * kills or reached != [True] * kills:
        yield f"ended with {codes} instead of dying at its points, which were reached: {reached}"


def of_successors(outcome: Outcome, longest_s: float) -> Iterator[str]:
    """Whoever came after them found an end, and in time."""
    if any(outcome.successors):
        yield f"whoever came after ended with {outcome.successors}"
    if outcome.seconds > longest_s:
        yield f"it took {outcome.seconds:.1f} s after the last death"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the exchange knows, at one moment."""

    ledger: Mapping[str, Any]
    orders: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, control: Control) -> Self:
        return cls(control.ledger(), [order for order in control.orders() if not order["by_hand"]])

    def violations(self, api_key: str) -> set[str]:
        """Their kinds."""
        return {one["kind"] for one in self.ledger["violations"] if one["api_key"] == api_key}

    def problems(self, api_key: str) -> Iterator[str]:
        if violations := self.violations(api_key):
            yield f"violations: {sorted(violations)}"
        if debts := [one for one in self.ledger["leftover_debts"] if one["api_key"] == api_key]:
            yield f"debts left: {debts}"
        (account,) = (one for one in self.ledger["accounts"] if one["api_key"] == api_key)
        if still_open := [pair["symbol"] for pair in account["pairs"] if pair["side"] != "flat"]:
            yield f"still open: {still_open}"

    def executed(self, api_key: str, side: Side) -> list[Mapping[str, Any]]:
        """Robson's orders against a position of this side, of which something was executed."""
        mine = [order for order in self.orders if order["api_key"] == api_key]
        return [
            order for order in mine if order["side"] == side.exit_order and Decimal(order["executed"]) > 0
        ]


def of_record(account: Account, orders: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One exit, settled, with exactly the fills that the exchange has."""
    intents = list(OrderIntent.objects.filter(slot__account=account, purpose=Purpose.EXIT))
    if [intent.state for intent in intents] != [IntentState.DONE]:
        yield f"exits on record: {[(intent.pk, intent.state) for intent in intents]}"
        return
    (intent,) = intents
    executed = sum((Decimal(order["executed"]) for order in orders), Decimal(0))
    if intent.executed_quantity != executed:
        yield f"{intent.executed_quantity} on record, {executed} executed"
    recorded = sorted(Fill.objects.filter(attempt__intent=intent).values_list("trade_id", flat=True))
    real = sorted(fill["trade_id"] for order in orders for fill in order["fills"])
    if recorded != real:
        yield f"fills {recorded} on record, {real} executed"
    yield from _replayed("the exit", crash_replay.intent(intent.pk), intent.state)


def of_position(row: int, begun: PositionState = PositionState.ARMED) -> Iterator[str]:
    position = Position.objects.get(pk=row)
    if position.state != PositionState.CLOSED:
        yield f"the position is {position.state}"
    yield from _once("position.exit_requested", position_id=row)
    yield from _once("position.closed", position_id=row)
    yield from _replayed("the position", crash_replay.position(row, begun), position.state)


def of_guard(row: int) -> Iterator[str]:
    guard = GuardedPosition.objects.get(pk=row)
    if guard.state != GuardState.CLOSED:
        yield f"the guard is {guard.state}"
    yield from _once("guard.exit_requested", guard_id=row)
    yield from _once("guard.closed", guard_id=row)
    yield from _replayed("the guard", crash_replay.guard(row), guard.state)


def _once(kind: str, **about: int) -> Iterator[str]:
    times = Event.objects.filter(kind=kind, **about).count()
    if times != 1:
        yield f"{times} events {kind}"


def _replayed(what: str, told: str, state: str) -> Iterator[str]:
    if told != state:
        yield f"{what} is {state}, its events say {told}"
