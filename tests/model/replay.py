"""The event log against the rows: events must be a walk through the tables that ends at the row."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from django.db import connection

from trading.domain.events import EventKind
from trading.domain.lifecycle import (
    GUARD_TRANSITIONS,
    INTENT_TRANSITIONS,
    POSITION_TRANSITIONS,
    GuardState,
    IntentState,
    PositionState,
    State,
)


class Row(NamedTuple):
    """A position, an intent or a guard. `stop` in quote currency."""

    table: str
    row_id: int
    state: str
    slot_id: int
    stop: Decimal | None
    is_exit: bool


BIRTHS: Mapping[EventKind, StrEnum] = {
    EventKind.POSITION_ARMED: PositionState.ARMED,
    EventKind.INTENT_CLAIMED: IntentState.PENDING,
    EventKind.GUARD_OPENED: GuardState.GUARDING,
}


def _steps(table: Mapping[tuple[State, State], EventKind]) -> dict[tuple[EventKind, str], str]:
    return {(kind, str(old)): str(new) for (old, new), kind in table.items()}


STEPS = {
    "position": _steps(POSITION_TRANSITIONS),
    "intent": _steps(INTENT_TRANSITIONS),
    "guard": _steps(GUARD_TRANSITIONS),
}
MOVES = {table: {kind for kind, _ in steps} for table, steps in STEPS.items()}

EVENTS = """
SELECT e.id, e.kind, e.position_id, e.intent_id, e.guard_id
  FROM trading_event e JOIN trading_slot s ON s.id = e.slot_id
 WHERE s.account_id = %(account)s AND e.id > %(last)s ORDER BY e.id;
"""
ROWS = """
SELECT 'position', p.id, p.state, p.slot_id, p.stop_price, FALSE
  FROM trading_position p JOIN trading_slot s ON s.id = p.slot_id WHERE s.account_id = %(account)s
UNION ALL
SELECT 'intent', i.id, i.state, i.slot_id, NULL, i.purpose = 'exit'
  FROM trading_orderintent i JOIN trading_slot s ON s.id = i.slot_id WHERE s.account_id = %(account)s
UNION ALL
SELECT 'guard', g.id, g.state, g.slot_id, g.stop_price, FALSE
  FROM safetynet_guardedposition g JOIN trading_slot s ON s.id = g.slot_id WHERE s.account_id = %(account)s
"""


class Replay:
    """What the events of one account have told so far, and its rows as they are."""

    def __init__(self, account_id: int) -> None:
        self.kinds: list[EventKind] = []
        self.rows: list[Row] = []
        self._states: dict[tuple[str, int], str] = {}
        self._account_id = account_id
        self._last_id = 0

    def check(self) -> None:
        """Read on. Raises AssertionError unless every row is in the state that its events lead to."""
        with connection.cursor() as cursor:
            # Both in one trip: they are asked after every step.
            cursor.execute(EVENTS + ROWS, {"account": self._account_id, "last": self._last_id})
            for self._last_id, kind, *ids in cursor.fetchall():
                self._follow(EventKind(kind), dict(zip(STEPS, ids, strict=True)))
            cursor.nextset()
            self.rows = [Row(*found) for found in cursor.fetchall()]
        states = {(row.table, row.row_id): row.state for row in self.rows}
        assert states == self._states, f"rows {states}, by their events {self._states}"

    def _follow(self, kind: EventKind, ids: Mapping[str, int]) -> None:
        """Raises AssertionError for an event that cannot follow those before it."""
        self.kinds.append(kind)
        table = kind.partition(".")[0]
        row = (table, ids[table])
        if kind in BIRTHS:
            assert row not in self._states, f"{row} is born twice"
            self._states[row] = str(BIRTHS[kind])
        elif kind in MOVES[table]:
            old = self._states.get(row, "nothing")
            assert (kind, old) in STEPS[table], f"{kind} of {row}, which is {old}"
            self._states[row] = STEPS[table][kind, old]
