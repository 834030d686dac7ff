"""An exchange that is slow to say what it holds: the stop goes out all the same, by what is still true."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from pytest_django.fixtures import Settings

from tests.trading.world import RECV_WINDOW_MS, World, fresh, interpose
from trading import execution, gateway
from trading.domain.types import MarginPair, Side
from trading.execution import Desk
from trading.models import OrderIntent

LONGEST_READ_S = 2.0


@pytest.fixture
def desk(world: World, settings: Settings) -> Desk:
    """A desk that waits for answers for longer than an order is valid, as the real one does."""
    settings.HTTP_TIMEOUT_S = (2.0, LONGEST_READ_S)
    gateway._local.__dict__.clear()
    return gateway.desk_for(world.account)


def answers_after(world: World, seconds: float, path: str = "isolated/account") -> None:
    world.control.fault("latency_ms", ms=int(seconds * 1000), path=path)


def sent(world: World) -> list[str]:
    return [order["client_order_id"] for order in world.orders() if "-x" in order["client_order_id"]]


@pytest.mark.parametrize("side", list(Side))
def test_balances_that_take_longer_than_an_order_is_valid_do_not_keep_a_stop_from_going(
    world: World, desk: Desk, side: Side
) -> None:
    intent = world.request_exit(world.enter(side))
    answers_after(world, RECV_WINDOW_MS / 1000 + 0.2)
    assert execution.execute(intent.pk, desk) is None
    assert (fresh(intent).state, fresh(intent).attempts_made, world.refusals()) == ("done", 1, [])
    assert len(sent(world)) == 1
    assert world.violations() == []


def test_the_time_that_is_signed_is_the_one_on_record_and_the_lease_begins_with_it(
    world: World, desk: Desk
) -> None:
    intent = world.request_exit(world.enter())
    taken = execution.take(intent.pk, desk)
    assert taken is not None
    first, lease = taken.timestamp_ms, fresh(intent).lease_until
    answers_after(world, 0.4)
    world.control.fault("timeout_before_accept", path="margin/order", method="POST", count=1)
    execution.run_attempt(taken, desk)
    (attempt,) = intent.attempts.all()
    assert attempt.timestamp_ms >= first + 400
    assert lease is not None
    assert fresh(intent).state == "unknown"
    assert execution.fence_ms(attempt) >= first + 400 + RECV_WINDOW_MS


def test_what_was_read_too_long_ago_is_read_again_and_nothing_is_sent_by_it(world: World, desk: Desk) -> None:
    """With coins beside it the trades are asked for as well: two slow answers, one after the other."""
    world.give_base("0.5")
    intent = world.request_exit(world.enter())
    slow = LONGEST_READ_S * 0.6
    answers_after(world, slow)
    answers_after(world, slow, "myTrades")
    execution.run_attempt(attempt_of(intent, desk), desk)
    (attempt,) = intent.attempts.all()
    assert "planned again" in attempt.error
    assert sent(world) == []
    world.control.clear_faults()
    assert world.settle(intent, desk).state == "done"
    assert world.pair().base.net >= Decimal("0.5")


@pytest.mark.parametrize(("beside", "refusals"), [("0.5", 0), ("0", 1)])
def test_answers_that_go_on_being_slow_do_not_keep_a_stop_from_going(
    world: World, desk: Desk, beside: str, refusals: int
) -> None:
    """Each answer comes in time, all of them together do not: not even a second or third time."""
    if Decimal(beside):
        world.give_base(beside)
    intent = world.request_exit(world.enter())
    OrderIntent.objects.filter(pk=intent.pk).update(refusals=refusals)
    for path in ("isolated/account", "myTrades", "ticker/price"):
        answers_after(world, LONGEST_READ_S * 0.6, path)
    for minutes in range(3):
        execution.execute(intent.pk, replace(desk, clock=partial(_later, desk, minutes)))
    assert fresh(intent).state == "done"
    assert len(sent(world)) == 1
    assert world.violations() == []


@pytest.mark.parametrize(
    ("refusals", "age_s", "goes"),
    [(0, 1.0, True), (0, 2.5, False), (1, 3.0, True), (1, 4.5, False), (9, 5.0, True), (9, 6.5, False)],
)
def test_a_reading_is_as_old_as_one_two_or_three_answers_may_be_and_no_older(
    world: World, desk: Desk, refusals: int, age_s: float, goes: bool
) -> None:
    intent = world.request_exit(world.enter())
    OrderIntent.objects.filter(pk=intent.pk).update(refusals=refusals)
    attempt = attempt_of(intent, desk)
    attempt.timestamp_ms -= int(age_s * 1000)
    execution.run_attempt(attempt, desk)
    assert len(sent(world)) == goes


def _later(desk: Desk, minutes: int) -> datetime:
    return desk.clock() + timedelta(minutes=minutes)


def attempt_of(intent: OrderIntent, desk: Desk) -> execution.OrderAttempt:
    attempt = execution.take(intent.pk, desk)
    assert attempt is not None
    return attempt


def test_whoever_has_lost_the_intent_meanwhile_signs_and_sends_nothing(world: World, desk: Desk) -> None:
    intent = world.request_exit(world.enter())
    attempt = attempt_of(intent, world.desk)
    signed = attempt.timestamp_ms
    answers_after(world, 0.3)

    def margin_pairs(symbols: Collection[str] = ()) -> Mapping[str, MarginPair]:
        pairs = world.exchange.margin_pairs(symbols)
        world.control.clear_faults()
        assert execution.take(intent.pk, world.later(60)) is not None
        return pairs

    execution.run_attempt(attempt, interpose(world, margin_pairs=margin_pairs))
    assert sent(world) == []
    assert intent.attempts.get().timestamp_ms == signed
    assert fresh(intent).state == "unknown"
    assert world.settle(intent, world.later(120)).state == "done"
    assert len(sent(world)) == 1
