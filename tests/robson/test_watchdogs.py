"""The poll drives Core's stops while the consumer is silent; the consumer polls while no poll runs."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from robson import watchdogs
from safetynet import poll
from safetynet.models import PollState
from tests import factories
from tests.safetynet.support import held_elsewhere
from tests.trading.world import SYMBOL, World, fresh, interpose, world
from trading import execution, gateway, watchdog
from trading.consumer import loading, process
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import on_price
from trading.domain.types import Side, Tick
from trading.exchange.errors import RetryLater
from trading.models import Heartbeat, OrderIntent, Position
from trading.models.intent import Owner
from trading.tasks import execute_intent

__all__ = ["world"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be queued: who claims an exit must execute it."""

    def refuse(*_args: object, **_options: object) -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(execute_intent, "apply_async", refuse)


def fresh_state(position: Position) -> str:
    position.refresh_from_db()
    return position.state


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


def goes(world: World, *prices: str, symbol: str = SYMBOL) -> None:
    """The market trades at these prices, each in a millisecond of its own."""
    for price in prices:
        time.sleep(0.005)
        world.control.price(symbol, price)
    time.sleep(0.005)


def progress(position: Position) -> tuple[Decimal | None, Decimal | None, int]:
    position.refresh_from_db()
    return position.extreme_price, position.stop_price, position.extreme_time_ms


def trailed(position: Position, extreme: str) -> Decimal:
    """The stop that belongs to an extreme."""
    distance = position.distance or Decimal(0)
    return Decimal(extreme) + (-distance if position.slot.position_side is Side.LONG else distance)


def fires_at_restart(position: Position) -> bool:
    """Whether a consumer that starts now finds the stop touched."""
    watch, replayed = loading.load_stop(Position.objects.select_related("slot__account").get(pk=position.pk))
    stop = watch.stop
    for tick in replayed:
        stop = on_price(stop, tick.price, tick.time_ms).next
    return stop.fired


def unreadable(*_: object, **__: object) -> list[Tick]:
    raise RetryLater("the request budget is spent", after_s=1)


# The distance is about 1,200.
@pytest.mark.usefixtures("broker_away")
@pytest.mark.parametrize(
    ("side", "prices"),
    [
        (Side.LONG, ("61500", "60900", "60100")),
        (Side.LONG, ("61500", "60900", "60100", "60500")),
        (Side.SHORT, ("58500", "59100", "59900")),
        (Side.SHORT, ("58500", "59100", "59900", "59500")),
    ],
)
def test_a_peak_and_a_touch_between_two_polls_are_an_exit(
    world: World, side: Side, prices: tuple[str, ...]
) -> None:
    position = world.enter(side)
    goes(world, *prices)
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    assert fresh_state(position) == PositionState.CLOSED
    assert position.exit_reason == "trailing stop (watchdog)"
    assert position.stop_price == trailed(position, prices[0])
    assert OrderIntent.objects.get(position=position, purpose="exit").trigger_price == Decimal(prices[2])


@pytest.mark.parametrize(
    ("side", "prices"), [(Side.LONG, ("61500", "60900")), (Side.SHORT, ("58500", "59100"))]
)
def test_a_peak_between_two_polls_counts(world: World, side: Side, prices: tuple[str, ...]) -> None:
    position = world.enter(side)
    goes(world, *prices)
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    assert progress(position)[:2] == (Decimal(prices[0]), trailed(position, prices[0]))
    assert position.state == PositionState.ACTIVE


def test_a_touch_that_has_recovered_before_the_poll_is_an_exit(world: World, broker_away: None) -> None:
    position = world.enter()
    goes(world, "58700", "59500")
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    assert fresh_state(position) == PositionState.CLOSED


def test_polls_one_after_the_other_lead_a_stop_where_the_stream_would_have(
    world: World, broker_away: None
) -> None:
    position = world.enter()
    states = []
    for prices in (("60900", "60200"), ("61500", "60600"), ("60400", "61000"), ("60200", "60800")):
        goes(world, *prices)
        watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
        states.append((fresh_state(position), position.extreme_price))
        assert position.stop_price == trailed(position, str(position.extreme_price))
    assert states == [("active", 60_900), ("active", 61_500), ("active", 61_500), ("closed", 61_500)]


def test_what_a_poll_has_read_is_not_asked_for_again(world: World) -> None:
    position = world.enter()
    asked: list[int] = []

    def trades(symbol: str, *, start_ms: int, end_ms: int) -> Any:
        asked.append(start_ms)
        return world.exchange.aggregate_trades(symbol, start_ms=start_ms, end_ms=end_ms)

    desk = interpose(world, aggregate_trades=trades)
    before = progress(position)
    goes(world, "59900")
    watchdogs.drive_stops_of_silent_consumer(world.account, desk)
    after = progress(position)
    goes(world, "59800")
    watchdogs.drive_stops_of_silent_consumer(world.account, desk)
    assert after[:2] == before[:2]
    assert asked == [before[2] + 1, after[2] + 1]


def test_a_stop_that_waits_for_its_activation_price_keeps_its_peak(world: World) -> None:
    position = world.enter()
    Position.objects.filter(pk=position.pk).update(activation_price=62_000)
    before = progress(position)
    goes(world, "61500")
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    after = progress(position)
    assert after[:2] == before[:2]
    assert after[2] > before[2]


@pytest.mark.parametrize("prices", [("61500", "60900"), ("61500", "60900", "60100")])
def test_of_a_gap_that_cannot_be_read_no_progress_is_saved(
    world: World, caplog: pytest.LogCaptureFixture, prices: tuple[str, ...]
) -> None:
    position = world.enter()
    before = progress(position)
    goes(world, *prices)
    watchdogs.drive_stops_of_silent_consumer(world.account, interpose(world, aggregate_trades=unreadable))
    assert progress(position) == before
    assert "what it missed cannot be read" in caplog.text
    assert fires_at_restart(position) == ("60100" in prices)


def test_a_gap_that_cannot_be_read_leaves_the_others_theirs(world: World) -> None:
    first, second = world.enter(), world.enter(symbol="ETHUSDT")
    world.control.price("ETHUSDT", "3100")
    time.sleep(0.005)
    world.control.fault("http_status", status=503, path="/api/v3/aggTrades", count=1)
    before = progress(first)
    watchdogs.drive_stops_of_silent_consumer(world.account, world.desk)
    assert progress(first) == before
    assert progress(second)[0] == 3_100


@pytest.mark.parametrize(("side", "price"), [(Side.LONG, "58700"), (Side.SHORT, "61300")])
def test_a_touch_by_the_present_price_does_not_wait_for_the_gap(
    world: World, broker_away: None, side: Side, price: str
) -> None:
    touched, other = world.enter(side), world.enter(symbol="ETHUSDT")
    asked: list[tuple[str, str]] = []

    def trades(symbol: str, **_: int) -> list[Tick]:
        asked.append((symbol, fresh_state(touched)))
        return unreadable()

    goes(world, price)
    watchdogs.drive_stops_of_silent_consumer(world.account, interpose(world, aggregate_trades=trades))
    assert asked == [("ETHUSDT", "closed")]
    assert fresh_state(other) == PositionState.ACTIVE


def test_what_a_poll_has_no_time_for_is_first_at_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watchdog, "CATCHING_UP_S", 0.2)
    world.enter()
    world.enter(symbol="ETHUSDT")
    asked: list[str] = []

    def slowly(symbol: str, **span: int) -> Any:
        asked.append(symbol)
        time.sleep(0.25)
        return world.exchange.aggregate_trades(symbol, **span)

    desk = interpose(world, aggregate_trades=slowly)
    watchdogs.drive_stops_of_silent_consumer(world.account, desk)
    assert asked == [SYMBOL]
    assert "1 stops have to wait for the next poll" in caplog.text
    watchdogs.drive_stops_of_silent_consumer(world.account, desk)
    assert asked == [SYMBOL, "ETHUSDT"]


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
