"""The poll drives Core's stops while the consumer is silent; the consumer polls while no poll runs."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from robson import watchdogs
from safetynet import poll
from safetynet.models import PollState
from tests import factories
from tests.safetynet.support import held_elsewhere
from tests.trading.world import SYMBOL, World, fresh, fresh_state, world
from trading import execution, gateway, watchdog
from trading.consumer import process
from trading.domain.lifecycle import PositionState
from trading.models import Heartbeat, OrderIntent
from trading.models.intent import Owner

__all__ = ["world"]

pytestmark = pytest.mark.django_db(transaction=True)


def consumer_beats() -> None:
    Heartbeat.objects.update_or_create(name=watchdog.CONSUMER, defaults={"at": gateway.utc_now()})


def test_the_poll_exits_at_the_trailing_stop_while_the_consumer_is_silent(
    world: World, broker_away: None
) -> None:
    position = world.enter()
    world.control.price(SYMBOL, "58000")
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    position.refresh_from_db()
    assert position.state == PositionState.CLOSED
    assert position.exit_reason == "trailing stop (watchdog)"
    assert len(world.orders("SELL")) == 1


def test_the_poll_leaves_the_stops_to_a_consumer_that_is_well(world: World, broker_away: None) -> None:
    position = world.enter()
    consumer_beats()
    world.control.price(SYMBOL, "58000")
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE


def test_the_poll_trails_the_stop_up_while_the_consumer_is_silent(world: World) -> None:
    position = world.enter()
    world.control.price(SYMBOL, "63000")
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    before = position.stop_price
    position.refresh_from_db()
    assert position.extreme_price == 63_000
    assert position.stop_price > before


def test_both_watchdog_and_consumer_at_the_same_touch_sell_once(world: World, broker_away: None) -> None:
    position = world.enter()
    world.control.price(SYMBOL, "58000")
    intent = world.request_exit(position)
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    world.settle(intent)
    assert len(world.orders("SELL")) == 1
    assert OrderIntent.objects.filter(position=position, purpose="exit").count() == 1


def test_a_stop_that_cannot_be_driven_does_not_leave_the_others_alone(
    world: World, broker_away: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that hangs in the middle of its claim holds the slot."""
    first, second = world.enter(), world.enter(symbol="ETHUSDT")
    for symbol, price in ((SYMBOL, "58000"), ("ETHUSDT", "2900")):
        world.control.price(symbol, price)
    with held_elsewhere("SELECT id FROM trading_slot WHERE id = %s FOR UPDATE", first.slot_id):
        watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    assert [fresh_state(one) for one in (first, second)] == ["active", "closed"]
    assert "its stop could not be driven, the others are" in caplog.text


def test_an_order_that_ends_in_an_unexpected_error_does_not_keep_the_others_from_being_finished(
    world: World,
) -> None:
    intent = left_behind(world)
    # A safety exit without its guard cannot be settled.
    poisoned = factories.intent(
        factories.slot("ETHUSDT"),
        owner=Owner.SAFETY_NET,
        next_attempt_at=intent.created_at - timedelta(hours=1),
    )
    watchdogs.finish_what_is_overdue()
    assert (fresh(poisoned).state, fresh(intent).state) == ("sending", "done")


def test_a_failed_question_is_announced_and_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = world.enter()
    world.control.fault("http_status", status=503, path="/api/v3/ticker/price")
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    world.control.clear_faults()
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE
    assert "could not drive Core's stops" in caplog.text


def test_the_consumer_polls_when_no_poll_has_run_for_two_intervals(world: World) -> None:
    long_ago = gateway.utc_now() - timedelta(seconds=60)
    watchdogs.poll_when_late(long_ago)
    assert PollState.objects.get(account=world.account).polls == 1


def test_the_consumer_leaves_the_poll_alone_while_it_runs_on_time(world: World, settings: Settings) -> None:
    long_ago = gateway.utc_now() - timedelta(seconds=60)
    PollState.objects.create(
        account=world.account,
        last_started_at=gateway.utc_now() - timedelta(seconds=settings.POLL_INTERVAL_S),
    )
    watchdogs.poll_when_late(long_ago)
    assert PollState.objects.get(account=world.account).polls == 0


def test_a_consumer_that_has_just_started_gives_the_poll_its_time(world: World) -> None:
    watchdogs.poll_when_late(gateway.utc_now())
    assert not PollState.objects.exists()


def test_an_account_without_credentials_does_not_keep_the_others_from_their_poll(world: World) -> None:
    factories.account("a-first", api_key_env="NOT_SET_ANYWHERE")
    watchdogs.poll_when_late(gateway.utc_now() - timedelta(seconds=60))
    assert PollState.objects.get(account=world.account).polls == 1


def left_behind(world: World) -> OrderIntent:
    """An exit whose task was lost, some time ago."""
    intent = world.request_exit(world.enter())
    long_ago = gateway.utc_now() - timedelta(seconds=30)
    OrderIntent.objects.filter(pk=intent.pk).update(next_attempt_at=long_ago)
    return intent


def test_an_exit_that_nobody_takes_up_is_executed_with_the_next_poll(world: World) -> None:
    intent = left_behind(world)
    poll.poll(world.account, world.desk)
    assert fresh(intent).state == "done"
    assert len(world.orders("SELL")) == 1


def test_the_consumer_executes_what_nobody_takes_up_though_no_poll_runs(world: World) -> None:
    intent = left_behind(world)
    for companion in process._companions:
        companion(gateway.utc_now())
    assert fresh(intent).state == "done"
    assert len(world.orders("SELL")) == 1


def test_an_exit_that_has_just_fallen_due_is_left_to_the_sweep(world: World) -> None:
    intent = world.request_exit(world.enter())
    watchdogs.finish_what_is_overdue()
    assert fresh(intent).state == "pending"


def test_an_exit_in_other_hands_is_left_to_them(world: World) -> None:
    intent = left_behind(world)
    assert execution.take(intent.pk, world.desk) is not None
    watchdogs.finish_what_is_overdue()
    assert fresh(intent).state == "sending"
    assert world.orders("SELL") == []


def test_an_order_without_credentials_does_not_keep_the_others_from_being_finished(world: World) -> None:
    stranger = factories.account("a-first", api_key_env="NOT_SET_ANYWHERE")
    slot = factories.slot("ETHUSDT", of=stranger)
    factories.intent(slot, next_attempt_at=gateway.utc_now() - timedelta(seconds=60))
    intent = left_behind(world)
    watchdogs.finish_what_is_overdue()
    assert fresh(intent).state == "done"


def test_the_consumer_polls_after_the_clock_was_set_back(world: World) -> None:
    now = gateway.utc_now()
    PollState.objects.create(account=world.account, lease_until=now, last_started_at=now + timedelta(hours=1))
    watchdogs.poll_when_late(now)
    assert PollState.objects.get().polls == 0
    watchdogs.poll_when_late(now - timedelta(seconds=60))
    assert PollState.objects.get().polls == 1
