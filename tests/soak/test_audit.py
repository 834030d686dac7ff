"""The audit at the end finds nothing after a life as it should be, and finds each thing that is wrong."""

import os
from typing import Any

import pytest

from robson.local import logfiles
from tests.soak import audit
from tests.soak.oracle import Trail
from tests.trading.world import SYMBOL, World, signal_for
from trading import arming, entry
from trading.arming import ArmOrder
from trading.domain.types import Side
from trading.models import Event, Fill, OrderAttempt, OrderIntent, Position


@pytest.fixture
def lived(world: World) -> World:
    """A position that was armed, entered and closed."""
    now = world.desk.clock()
    position = arming.arm(
        account=world.account, order=ArmOrder(symbol=SYMBOL), exchange=world.exchange, at=now
    )
    assert entry.enter(position=position, signal=signal_for(position), desk=world.desk)
    position.refresh_from_db()
    world.settle(world.request_exit(position))
    return world


def found(world: World, ledger: dict[str, Any] | None = None) -> list[str]:
    problems = audit.problems(ledger or world.control.ledger(), world.control.orders())
    return [problem.what for problem in problems]


def test_a_life_as_it_should_be_has_no_problem(lived: World) -> None:
    assert found(lived) == []


def test_what_is_open_at_the_exchange_is_a_problem(lived: World) -> None:
    lived.control.trade("BUY", "0.01", symbol=SYMBOL)
    assert [what for what in found(lived) if what.startswith("still open: long")]


def test_what_robson_has_not_finished_is_a_problem(lived: World) -> None:
    position = lived.enter()
    assert f"{position} is still active" in found(lived)


def violating(world: World, time_ms: int) -> dict[str, Any]:
    """A ledger that blames the exit for something at this time."""
    name = OrderAttempt.objects.get(intent__purpose="exit").client_order_id
    one = {"kind": "oversold", "symbol": SYMBOL, "order_id": 1, "client_order_id": name, "time_ms": time_ms}
    return {**world.control.ledger(), "violations": [{**one, "before": "1", "after": "-1"}]}


def test_a_violation_is_a_problem(lived: World) -> None:
    ledger = violating(lived, OrderAttempt.objects.get(intent__purpose="exit").timestamp_ms + 50)
    [wrong], crossed = audit.violations(ledger, lived.control.orders())
    assert wrong.what.endswith("took the position from 1 to -1")
    assert crossed == []
    assert audit.violations(lived.control.ledger(), lived.control.orders()) == ([], [])


def test_an_order_by_hand_between_the_reading_and_the_order_is_told_apart(lived: World) -> None:
    signed_ms = OrderAttempt.objects.get(intent__purpose="exit").timestamp_ms
    ledger = violating(lived, signed_ms + 1_000)
    by_hand = {"by_hand": True, "symbol": SYMBOL, "order_id": 7, "time_ms": signed_ms + 500}

    wrong, [crossed] = audit.violations(ledger, [by_hand])
    assert wrong == []
    assert crossed.what.endswith("crossing the owner's order 7")

    for other in (
        {**by_hand, "time_ms": signed_ms - 251},
        {**by_hand, "time_ms": signed_ms + 1_001},
        {**by_hand, "symbol": "ETHUSDT"},
        {**by_hand, "by_hand": False},
    ):
        assert audit.violations(ledger, [other])[1] == []


def test_a_debt_that_could_be_paid_back_is_a_problem_and_dust_is_none(lived: World) -> None:
    flat = {"borrowed": "0", "interest": "0"}
    pair = {"symbol": SYMBOL, "base": {"borrowed": "0.01", "interest": "0"}, "quote": flat}
    ledger = lived.control.ledger()
    assert len(found(lived, {**ledger, "leftover_debts": [pair]})) == 1
    dust = {**pair, "base": {"borrowed": "0.00001", "interest": "0"}}
    assert found(lived, {**ledger, "leftover_debts": [dust]}) == []


def test_an_order_that_no_attempt_knows_is_a_problem(lived: World) -> None:
    exit_order = OrderAttempt.objects.get(intent__purpose="exit")
    OrderAttempt.objects.filter(pk=exit_order.pk).update(client_order_id="another-name")
    problems = found(lived)
    assert f"no attempt knows order {exit_order.client_order_id}" in problems
    assert "another-name is recorded as executed, and the exchange does not know it" in problems


def test_an_order_with_a_fill_that_was_not_recorded_is_a_problem(lived: World) -> None:
    Fill.objects.filter(attempt__intent__purpose="exit").delete()
    assert [what for what in found(lived) if "recorded as order" in what]


def test_an_executed_order_that_is_recorded_as_never_accepted_is_a_problem(lived: World) -> None:
    OrderAttempt.objects.filter(intent__purpose="exit").update(status="not_executed")
    assert [what for what in found(lived) if "is recorded as not_executed" in what]


def test_an_order_sent_twice_under_one_name_is_a_problem(lived: World) -> None:
    orders = lived.control.orders()
    problems = audit.problems(lived.control.ledger(), [*orders, orders[-1]])
    assert f"{orders[-1]['client_order_id']} was sent 2 times" in [problem.what for problem in problems]


def test_a_row_whose_events_say_something_else_is_a_problem(lived: World) -> None:
    Position.objects.update(state="cancelled")
    OrderIntent.objects.filter(purpose="exit").update(state="dust")
    position, intent = Position.objects.get(), OrderIntent.objects.get(purpose="exit")
    assert f"position {position.pk} is cancelled, its events say closed" in found(lived)
    assert f"intent {intent.pk} is dust, its events say done" in found(lived)


def test_a_row_without_its_events_is_a_problem(lived: World) -> None:
    Event.prune(before=lived.desk.clock())
    assert [what for what in found(lived) if "the story begins with nothing" in what]


def test_a_stop_that_fired_elsewhere_than_without_an_outage_is_a_problem(lived: World) -> None:
    position = Position.objects.get()
    Position.objects.update(exit_reason="trailing stop")
    assert position.stop_price is not None
    assert position.distance is not None
    trail = Trail(Side.LONG, position.distance, position.stop_price + position.distance, 0, touched_at=1.0)
    assert audit.stops({position.pk: trail}) == []
    trail.extreme += 1
    [problem] = audit.stops({position.pk: trail})
    assert "fired at a stop of" in problem.what


def test_a_log_that_tells_of_an_error_nobody_expected_is_a_problem() -> None:
    name = f"soak-audit-{os.getpid()}"
    with logfiles.append(name) as log:
        log.write(b"INFO all is well\nCRITICAL BTCUSDT Long #1: an error nobody expected, trying again\n")
    [problem] = audit.unthought_of([name])
    assert "BTCUSDT Long #1" in problem.what
