"""The machine's clock was ahead and is set back: nothing waits for the times that were written before."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.trading.world import SYMBOL, World, fresh, fresh_state, interpose, signal_for
from trading import entry, execution, gateway, reactions, reconciliation, watchdog
from trading.consumer import acting, process
from trading.consumer.acting import Acting
from trading.consumer.lanes import Lanes
from trading.consumer.process import Consumer
from trading.domain.clocks import APART
from trading.domain.lifecycle import PositionState
from trading.exchange.errors import RetryLater, StopAndPage
from trading.execution import Desk
from trading.models import Heartbeat, OrderIntent, Position

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def ahead(world: World, by: timedelta = HOUR) -> Desk:
    return world.later(by.total_seconds())


def test_an_exit_that_was_claimed_before_goes_on(world: World) -> None:
    intent = world.request_exit(world.enter(), at=gateway.utc_now() + HOUR)
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "done"


@pytest.mark.parametrize("set_back", [timedelta(seconds=30), HOUR])
def test_an_exit_that_nobody_has_taken_yet_is_found_by_the_sweep(world: World, set_back: timedelta) -> None:
    intent = world.request_exit(world.enter(), at=gateway.utc_now() + set_back)
    assert execution.due_intents(gateway.utc_now()) == [intent.pk]


def test_an_exit_that_was_postponed_before_goes_on(world: World) -> None:
    def refuse(_: object) -> None:
        raise StopAndPage("banned", after_s=86_400, http_status=418)

    intent = world.request_exit(world.enter())
    desk = interpose(world, send_market_order=refuse)
    execution.execute(intent.pk, replace(desk, clock=ahead(world).clock))
    assert (fresh(intent).state, fresh(intent).refusals) == ("pending", 1)
    assert execution.due_intents(gateway.utc_now()) == [intent.pk]
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "done"


def test_an_exit_whose_executor_died_before_is_taken_over(world: World) -> None:
    intent = world.request_exit(world.enter())
    assert execution.take(intent.pk, ahead(world)) is not None
    assert execution.due_intents(gateway.utc_now()) == [intent.pk]
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    assert (attempt.number, fresh(intent).state, fresh(intent).lease_holder) == (
        1,
        "unknown",
        world.desk.holder,
    )


def test_who_is_taken_over_from_though_he_lives_sends_the_only_order(world: World) -> None:
    intent = world.request_exit(world.enter())
    attempt = execution.take(intent.pk, ahead(world))
    assert attempt is not None
    assert execution.take(intent.pk, world.desk) is not None
    execution.run_attempt(attempt, ahead(world))
    world.settle(intent)
    assert (len(world.orders("SELL")), world.violations()) == (1, [])


@pytest.mark.parametrize("apart", [timedelta(0), APART])
def test_the_lease_of_a_living_executor_is_respected(world: World, apart: timedelta) -> None:
    """Also by a host whose clock is as far behind as clocks may be."""
    intent = world.request_exit(world.enter())
    assert execution.take(intent.pk, ahead(world, apart)) is not None
    assert execution.take(intent.pk, world.desk) is None


@pytest.mark.parametrize(
    ("wait", "due"), [(1, False), (reactions.LONGEST_WAIT_S, False), (reactions.LONGEST_WAIT_S + 20, True)]
)
def test_a_delay_is_kept_up_to_the_longest_that_there_is(world: World, wait: float, due: bool) -> None:
    intent = world.request_exit(world.enter())
    postponed_to = gateway.utc_now() + timedelta(seconds=wait)
    OrderIntent.objects.filter(pk=intent.pk).update(next_attempt_at=postponed_to, attempts_made=1)
    for overdue in (timedelta(0), timedelta(seconds=5)):
        assert (execution.due_intents(gateway.utc_now() - overdue) == [intent.pk]) is due


@pytest.mark.parametrize("error", [RetryLater, StopAndPage])
def test_the_exchange_is_asked_again_though_it_names_days(error: type[RetryLater | StopAndPage]) -> None:
    assert reactions.retry_delay_s(error("banned", after_s=3 * 86_400), 1) == reactions.LONGEST_WAIT_S
    assert reactions.retry_delay_s(error("slower", after_s=45), 1) == 45


def test_who_pursues_an_exit_looks_again_before_a_time_that_was_far_ahead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "LOOK_AGAIN_S", 0.05)
    intent = world.request_exit(world.enter())
    later = gateway.utc_now() + timedelta(seconds=100)
    OrderIntent.objects.filter(pk=intent.pk).update(next_attempt_at=later, attempts_made=1)
    position = Position.objects.select_related("slot__account").get()

    async def act() -> None:
        lanes, ended = Lanes(1), asyncio.Event()
        try:
            Acting(lanes, changed=ended.set).pursue(position)
            await asyncio.sleep(0.2)
            await lanes.others.run(lambda: OrderIntent.objects.update(next_attempt_at=gateway.utc_now()))
            await asyncio.wait_for(ended.wait(), 10)
        finally:
            lanes.close()

    asyncio.run(act())
    assert fresh_state(position) == PositionState.CLOSED


def test_an_entry_whose_signal_is_of_an_unknown_age_is_not_sent(world: World) -> None:
    def clock() -> datetime:
        return gateway.utc_now() + (timedelta(0) if OrderIntent.objects.exists() else HOUR)

    position = world.armed()
    entry.enter(position=position, signal=signal_for(position), desk=replace(world.desk, clock=clock))
    assert OrderIntent.objects.get().last_error == "the signal is too old by now: nothing was sent"
    assert fresh_state(position) == PositionState.CANCELLED
    assert world.orders() == []


def test_a_heartbeat_of_the_future_is_no_sign_of_life(world: World) -> None:
    now = gateway.utc_now()
    beat = Heartbeat.objects.create(name=watchdog.CONSUMER, at=now + HOUR)
    assert watchdog.consumer_is_silent(now)
    beat.at = now + APART / 2
    beat.save()
    assert not watchdog.consumer_is_silent(now)


def test_what_goes_missing_is_looked_at_twice_and_then_told(world: World) -> None:
    position = world.enter()
    world.control.trade("SELL", "0.00757", symbol=SYMBOL)
    reconciliation.reconcile(world.account, ahead(world))
    reconciliation.reconcile(world.account, world.desk)
    assert fresh_state(position) == PositionState.ACTIVE
    assert position.missing_since is not None
    assert position.missing_since <= gateway.utc_now()
    reconciliation.reconcile(world.account, ahead(world, reconciliation.GRACE + SECOND))
    assert fresh_state(position) == PositionState.CLOSED


def test_since_when_the_consumer_watches_others_does_not_depend_on_the_clock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched_since: list[datetime] = []
    monkeypatch.setattr(process, "_companions", [watched_since.append])
    wrong = gateway.utc_now() + HOUR

    async def act() -> None:
        with monkeypatch.context() as before:
            before.setattr(gateway, "utc_now", lambda: wrong)
            consumer = Consumer()
        try:
            await consumer.watch_others()
        finally:
            consumer.lanes.close()

    asyncio.run(act())
    (since,) = watched_since
    assert timedelta(0) <= gateway.utc_now() - since < 10 * SECOND
