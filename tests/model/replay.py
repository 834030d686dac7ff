"""The event log against the rows: what the events tell must be a walk through the tables, and end at the row."""

from collections.abc import Mapping
from enum import StrEnum

from django.db import connection

from trading.domain.events import EventKind
from trading.domain.lifecycle import (
    GUARD_TRANSITIONS,
    INTENT_TRANSITIONS,
    POSITION_TRANSITIONS,
    GuardState,
    IntentState,
    PositionState,
)
from trading.models import Event

Row = tuple[str, int]

BIRTHS: Mapping[EventKind, StrEnum] = {
    EventKind.POSITION_ARMED: PositionState.ARMED,
    EventKind.INTENT_CLAIMED: IntentState.PENDING,
    EventKind.GUARD_OPENED: GuardState.GUARDING,
}


def _steps(table: Mapping[tuple[StrEnum, StrEnum], EventKind]) -> dict[tuple[EventKind, str], str]:
    return {(kind, str(old)): str(new) for (old, new), kind in table.items()}


STEPS = {
    "position": _steps(POSITION_TRANSITIONS),
    "intent": _steps(INTENT_TRANSITIONS),
    "guard": _steps(GUARD_TRANSITIONS),
}
MOVES = {table: {kind for kind, _ in steps} for table, steps in STEPS.items()}

ROWS = """
SELECT 'position', p.id, p.state FROM trading_position p JOIN trading_slot s ON s.id = p.slot_id
 WHERE s.account_id = %(account)s
UNION ALL
SELECT 'intent', i.id, i.state FROM trading_orderintent i JOIN trading_slot s ON s.id = i.slot_id
 WHERE s.account_id = %(account)s
UNION ALL
SELECT 'guard', g.id, g.state FROM safetynet_guardedposition g JOIN trading_slot s ON s.id = g.slot_id
 WHERE s.account_id = %(account)s
"""


class Replay:
    """What the events of one account have told so far."""

    def __init__(self, account_id: int) -> None:
        self.states: dict[Row, str] = {}
        self.events = 0
        self._account_id = account_id
        self._last_id = 0

    def catch_up(self) -> None:
        """Read on. Raises AssertionError for an event that cannot follow those before it."""
        fresh = Event.objects.filter(slot__account_id=self._account_id, id__gt=self._last_id).order_by("id")
        for event in fresh.values_list("id", "kind", "position_id", "intent_id", "guard_id"):
            self._last_id, kind, *ids = event
            self.events += 1
            self._follow(EventKind(kind), dict(zip(STEPS, ids, strict=True)))

    def _follow(self, kind: EventKind, ids: Mapping[str, int]) -> None:
        table = kind.partition(".")[0]
        row = (table, ids[table])
        if kind in BIRTHS:
            assert row not in self.states, f"{row} is born twice"
            self.states[row] = str(BIRTHS[kind])
        elif kind in MOVES[table]:
            old = self.states.get(row, "nothing")
            assert (kind, old) in STEPS[table], f"{kind} of {row}, which is {old}"
            self.states[row] = STEPS[table][kind, old]

    def check(self) -> None:
        """Raises AssertionError unless every row is in the state that its events lead to."""
        self.catch_up()
        with connection.cursor() as cursor:
            cursor.execute(ROWS, {"account": self._account_id})
            rows = {(table, row_id): state for table, row_id, state in cursor.fetchall()}
        assert rows == self.states, f"rows {rows}, by their events {self.states}"
