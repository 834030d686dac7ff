"""What a chart is made of: steps of the stop, the best price, entry, exit and numbered events."""

from datetime import timedelta
from decimal import Decimal

import pytest

from robson.desk import chart
from tests import factories
from tests.factories import NOON
from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import GuardState, PositionState
from trading.models import Position

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=30)


def raised(position: Position, minute: int, stop: str, extreme: str) -> None:
    at = NOON + timedelta(minutes=minute)
    journal.append(EventKind.POSITION_STOP_RAISED, position, at=at, stop=stop, before="1", extreme=extreme)


def test_the_stop_is_a_step_at_each_event_and_goes_on_to_what_it_is_now() -> None:
    position = factories.core_position(stop_price=Decimal(59_150), extreme_price=Decimal(60_350))
    journal.append(EventKind.POSITION_ACTIVATED, position, at=NOON, entry="60000", stop="58800")
    raised(position, 5, "59000", "60200")
    drawn = chart.of_position(position, LATER)
    assert [(point.at, int(point.price)) for point in drawn.stops] == [
        (NOON, 58_800),
        (NOON + timedelta(minutes=5), 59_000),
        (LATER, 59_150),
    ]
    assert [int(point.price) for point in drawn.peaks] == [60_000, 60_200, 60_350]


def test_a_closed_position_ends_at_its_exit() -> None:
    closed_at = NOON + timedelta(minutes=10)
    position = factories.core_position(
        state=PositionState.CLOSED, closed_at=closed_at, exit_price=Decimal(59_000)
    )
    drawn = chart.of_position(position, LATER)
    assert (drawn.over, drawn.end) == (True, closed_at)
    assert drawn.entry is not None
    assert (drawn.entry.at, drawn.entry.price) == (NOON, Decimal(60_000))
    assert drawn.exit is not None
    assert (drawn.exit.at, drawn.exit.price) == (closed_at, Decimal(59_000))
    assert drawn.stops[-1].at == closed_at


def test_an_armed_position_has_prices_and_nothing_else() -> None:
    drawn = chart.of_position(factories.core_position(state=PositionState.ARMED, armed_at=NOON), LATER)
    assert (drawn.start, drawn.entry, drawn.exit, drawn.stops, drawn.peaks) == (NOON, None, None, (), ())


def test_events_are_numbered_and_what_the_stop_shows_already_is_left_out() -> None:
    position = factories.core_position()
    journal.append(EventKind.POSITION_ACTIVATED, position, at=NOON, entry="60000", stop="58800")
    raised(position, 5, "59000", "60200")
    journal.append(EventKind.POSITION_MISSING, position, at=LATER, missing="0.01")
    marks = chart.of_position(position, LATER).marks
    assert [(mark.number, mark.price) for mark in marks] == [(1, Decimal(60_000)), (2, None)]
    assert marks[1].text == "The exchange holds 0.01 less than it should; looking again"


def test_a_guards_stop_steps_when_its_owner_changes_the_position() -> None:
    guard = factories.guard(
        state=GuardState.CLOSED,
        opened_at=NOON,
        closed_at=LATER,
        stop_price="58310",
        exit_price=Decimal(58_300),
    )
    journal.append(EventKind.GUARD_OPENED, guard, at=NOON, stop="58800")
    journal.append(EventKind.GUARD_RECOMPUTED, guard, at=NOON + timedelta(minutes=5), stop="58310")
    drawn = chart.of_guard(guard, LATER)
    assert [int(point.price) for point in drawn.stops] == [58_800, 58_310, 58_310]
    assert drawn.exit is not None
    assert drawn.exit.price == 58_300
