"""What was traded while nobody drove a stop: whoever stands in for the consumer goes through all of it."""

import time
from decimal import Decimal
from typing import Any

import pytest

from robson import watchdogs
from tests.trading.world import SYMBOL, World, fresh_state, interpose, world
from trading import watchdog
from trading.consumer import loading
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import on_price
from trading.domain.types import Side, Tick
from trading.exchange.errors import RetryLater
from trading.models import OrderIntent, Position

__all__ = ["world"]

pytestmark = pytest.mark.django_db(transaction=True)


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
