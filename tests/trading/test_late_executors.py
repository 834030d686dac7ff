"""Recording happens once, however many executors bring the same news, and however late they come."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, transaction

from tests import factories
from tests.trading.world import SYMBOL, World, fresh, until, waiting_for_a_lock
from trading import execution, recording
from trading.domain.exits import ExitPlan, Verdict
from trading.domain.types import MarketOrder, OrderReport, OrderSide
from trading.exchange.errors import OutcomeUnknown, Refused
from trading.models import Event, Fill, OrderAttempt, OrderIntent, Position
from trading.models.intent import Owner

FLAT = ExitPlan(Verdict.FLAT)


def sent(world: World, attempt: OrderAttempt, quantity: Decimal) -> OrderReport:
    """Put the attempt's order on the exchange without recording anything."""
    order = MarketOrder(
        symbol=SYMBOL,
        side=OrderSide.SELL,
        quantity=quantity,
        client_order_id=attempt.client_order_id,
        side_effect="AUTO_REPAY",
        timestamp_ms=world.exchange.now_ms(),
        recv_window_ms=5_000,
    )
    return world.exchange.send_market_order(order)


def taken(world: World) -> tuple[Position, OrderIntent, OrderAttempt]:
    position = world.enter()
    intent = world.request_exit(position)
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    return position, intent, attempt


def events(intent: OrderIntent) -> list[str]:
    return list(Event.objects.filter(intent=intent).values_list("kind", flat=True))


def test_same_report_twice_is_recorded_and_settled_once(world: World) -> None:
    position, intent, attempt = taken(world)
    report = sent(world, attempt, Decimal("0.00757"))
    for _ in range(2):
        recording.executed(attempt, report, left=FLAT, base_asset="BTC", at=world.desk.clock())
    assert events(intent) == ["intent.claimed", "intent.sent", "intent.filled", "intent.settled"]
    assert Fill.objects.filter(attempt__intent=intent).count() == len(report.fills)
    assert Event.objects.filter(position=position, kind="position.closed").count() == 1


def test_executor_whose_lease_ran_out_changes_nothing_that_another_recorded(world: World) -> None:
    _, intent, attempt = taken(world)
    report = sent(world, attempt, Decimal("0.00757"))
    assert execution.execute(intent.pk, world.later(60)) is None
    before = (events(intent), OrderIntent.objects.values().get(pk=intent.pk))
    recording.executed(attempt, report, left=FLAT, base_asset="BTC", at=world.later(61).clock())
    recording.not_executed(attempt, Refused("late"), at=world.desk.clock())
    recording.unknown(attempt, OutcomeUnknown("late"), at=world.desk.clock())
    recording.never_accepted(attempt, at=world.desk.clock())
    recording.nothing_sent(attempt, FLAT, base_asset="BTC", at=world.desk.clock())
    assert (events(intent), OrderIntent.objects.values().get(pk=intent.pk)) == before
    assert OrderAttempt.objects.get(pk=attempt.pk).status == "executed"


def test_executor_that_waits_for_the_record_of_another_sees_it_first(world: World) -> None:
    _, intent, attempt = taken(world)
    report = sent(world, attempt, Decimal("0.00757"))

    def refuse() -> None:
        try:
            recording.not_executed(attempt, Refused("late"), at=world.desk.clock())
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as other:
        with transaction.atomic():
            same = OrderAttempt.objects.select_related("intent__slot__account").get(pk=attempt.pk)
            recording.executed(same, report, left=FLAT, base_asset="BTC", at=world.desk.clock())
            done = other.submit(refuse)
            until(waiting_for_a_lock)
        done.result(20)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.error) == ("executed", "")
    assert fresh(intent).state == "done"


def test_fill_of_an_earlier_attempt_counts_while_a_later_one_is_on_its_way(world: World) -> None:
    _, intent, first = taken(world)
    recording.unknown(first, OutcomeUnknown("no answer"), at=world.desk.clock())
    recording.never_accepted(first, at=world.desk.clock())
    late = sent(world, first, Decimal("0.00300"))
    second = execution.take(intent.pk, world.desk)
    assert second is not None
    recording.executed(first, late, left=FLAT, base_asset="BTC", at=world.desk.clock())
    still = fresh(intent)
    assert (still.state, still.attempts_made) == ("sending", 2)
    assert Fill.objects.filter(attempt=first).count() == len(late.fills)
    execution.run_attempt(second, world.desk)
    done = fresh(intent)
    assert (done.state, done.executed_quantity) == ("done", Decimal("0.00757"))
    assert [Decimal(order["executed"]) for order in world.orders("SELL")] == [
        Decimal("0.003"),
        Decimal("0.00457"),
    ]
    assert world.violations() == []


def test_late_executor_cannot_send_once_its_lease_has_passed(world: World) -> None:
    """It was stopped between its commit and its order for longer than the window that it signed."""
    _, intent, attempt = taken(world)
    signed_long_ago = replace_timestamp(attempt, world.exchange.now_ms() - 20_000)
    world.settle(intent, world.later(60))
    execution.run_attempt(signed_long_ago, world.desk, world.early(world.pair()))
    assert len(world.orders("SELL")) == 1
    assert fresh(intent).state == "done"
    assert world.violations() == []


def replace_timestamp(attempt: OrderAttempt, timestamp_ms: int) -> OrderAttempt:
    OrderAttempt.objects.filter(pk=attempt.pk).update(timestamp_ms=timestamp_ms)
    attempt.timestamp_ms = timestamp_ms
    return attempt


def test_attempt_found_by_another_executor_tells_its_quantity(world: World) -> None:
    _, intent, attempt = taken(world)
    sent(world, attempt, Decimal("0.00757"))
    execution.execute(intent.pk, world.later(60))
    assert OrderAttempt.objects.get(pk=attempt.pk).quantity == Decimal("0.00757")


def test_settlement_runs_once_inside_the_transaction_that_ends_the_intent(world: World) -> None:
    position = factories.core_position()
    seen: list[tuple[str, bool]] = []

    def handler(intent: OrderIntent, base_asset: str, at: object) -> None:
        seen.append((base_asset, transaction.get_connection().in_atomic_block))

    original = recording._handlers[Owner.SAFETY_NET]
    recording.register_settlement(Owner.SAFETY_NET, handler)
    try:
        intent = factories.intent(position.slot, owner=Owner.SAFETY_NET)
        world.settle(intent)
        world.settle(intent)
    finally:
        recording.register_settlement(Owner.SAFETY_NET, original)
    assert seen == [("BTC", True)]


def test_failing_settlement_takes_the_record_back_and_the_order_is_found_again(world: World) -> None:
    """The order was executed, then its record failed: the intent knows the name to look it up by."""
    position, intent, attempt = taken(world)
    original = recording._handlers[Owner.CORE]

    def broken(*_: object) -> None:
        raise RuntimeError("disk full")

    recording.register_settlement(Owner.CORE, broken)
    try:
        with pytest.raises(RuntimeError, match="disk full"):
            execution.run_attempt(attempt, world.desk)
    finally:
        recording.register_settlement(Owner.CORE, original)
    assert fresh(intent).state == "sending"
    assert not Fill.objects.filter(attempt__intent=intent).exists()
    assert execution.execute(intent.pk, world.later(60)) is None
    position.refresh_from_db()
    assert position.state == "closed"
    assert len(world.orders("SELL")) == 1


def test_partial_report_that_comes_twice_leaves_one_residual(world: World) -> None:
    _, intent, attempt = taken(world)
    world.control.fault("partial_fill", ratio="0.5", count=1)
    report = sent(world, attempt, Decimal("0.00757"))
    left = ExitPlan(Verdict.SEND, left=Decimal("0.00378"))
    recording.executed(attempt, report, left=left, base_asset="BTC", at=world.desk.clock())
    recording.executed(attempt, report, left=FLAT, base_asset="BTC", at=world.desk.clock())
    assert fresh(intent).state == "pending"
    done = world.settle(intent)
    assert (done.state, done.executed_quantity) == ("done", Decimal("0.00757"))
