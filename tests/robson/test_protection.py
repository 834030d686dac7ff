"""Who would close a position at its stop: nobody may be called protected by one who does not work."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings

from robson.holdings import Holding, holdings, unprotected
from safetynet.models import Exemption, PollState
from tests import factories
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side
from trading.models import Account, Heartbeat

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def only(now: datetime = NOW) -> Holding:
    (one,) = holdings(Account.objects.all(), now=now)
    return one


def silence_consumer(*, for_s: float) -> None:
    Heartbeat.objects.update(at=NOW - seconds(for_s))


def delay_poll(*, by_s: float) -> None:
    PollState.objects.update(last_success_at=NOW - seconds(by_s))


@pytest.mark.parametrize("state", [PositionState.ENTERING, PositionState.ACTIVE, PositionState.EXITING])
def test_with_consumer_and_poll_at_work_whatever_core_owns_is_protected(state: PositionState) -> None:
    factories.everything_works(at=NOW)
    factories.core_position(state=state)
    assert only().protected
    assert only().protected_by.startswith("Core, ")
    assert unprotected(NOW) == []


def test_nothing_is_at_stake_in_what_is_only_armed() -> None:
    factories.core_position(state=PositionState.ARMED)
    assert (only().exposed, only().protected) == (False, True)
    assert unprotected(NOW) == []


def test_while_the_consumer_is_silent_the_poll_protects_in_its_place() -> None:
    factories.everything_works(at=NOW)
    factories.core_position()
    silence_consumer(for_s=11)
    assert only().protected_by == "the poll, 0 s ago, in place of the silent consumer"
    assert unprotected(NOW) == []


def test_without_consumer_and_poll_nobody_protects_and_both_silences_are_told() -> None:
    factories.everything_works(at=NOW)
    position = factories.core_position()
    silence_consumer(for_s=90)
    delay_poll(by_s=75)
    (one,) = unprotected(NOW)
    assert one.id == position.pk
    assert one.unprotected_because == (
        "the consumer has not worked for 90 s, and the poll has not worked for 75 s"
    )
    assert one.protected_by == f"NOBODY: {one.unprotected_because}"


def test_a_system_that_has_never_run_protects_nothing() -> None:
    factories.core_position()
    (one,) = unprotected(NOW)
    assert one.unprotected_because == "the consumer has never worked, and the poll has never worked"


def test_a_consumer_that_hears_no_price_does_not_protect_alone() -> None:
    factories.everything_works(at=NOW, prices={"BTCUSDT": "60000"})
    factories.core_position()
    delay_poll(by_s=75)
    assert only().protected
    beat = Heartbeat.objects.get()
    beat.data["prices"]["BTCUSDT"] |= {
        "age_s": 70.0,
        "at_ms": beat.data["prices"]["BTCUSDT"]["at_ms"] - 70_000,
    }
    beat.save()
    assert only().unprotected_because.startswith("no price of BTCUSDT for 70 s")


def test_a_guard_that_the_poll_sees_is_protected() -> None:
    factories.everything_works(at=NOW)
    factories.guard("ETHUSDT", last_seen_at=NOW - seconds(20))
    assert only().protected_by == "Safety Net, fixed stop"
    assert unprotected(NOW) == []


def test_a_guard_is_unprotected_when_no_poll_has_worked_for_three_intervals() -> None:
    factories.everything_works(at=NOW)
    factories.guard("ETHUSDT", last_seen_at=NOW - seconds(61))
    delay_poll(by_s=61)
    (one,) = unprotected(NOW)
    assert one.unprotected_because == "the poll has not worked for 61 s"


def test_a_guard_that_a_poll_passes_over_is_unprotected_though_the_poll_works() -> None:
    factories.everything_works(at=NOW)
    factories.guard("ETHUSDT", last_seen_at=NOW - seconds(61))
    assert only().unprotected_because == "the poll works, and has not seen it for 61 s"


def test_a_guard_that_was_seen_is_protected_though_the_poll_failed_over_another() -> None:
    factories.everything_works(at=NOW)
    factories.guard("ETHUSDT", last_seen_at=NOW - seconds(20))
    delay_poll(by_s=300)
    assert only().protected


def test_a_guard_on_its_way_out_depends_on_the_poll_alone() -> None:
    factories.everything_works(at=NOW)
    factories.guard("ETHUSDT", state=GuardState.EXITING, last_seen_at=NOW - seconds(300))
    assert only().protected
    delay_poll(by_s=61)
    assert not only().protected


def test_what_the_exchange_does_not_hold_any_more_is_not_called_protected_for_long() -> None:
    factories.everything_works(at=NOW)
    position = factories.core_position(missing_since=NOW - seconds(80))
    assert (only().protected, only().note) == (True, "not found at the exchange: looking again")
    position.missing_since = NOW - seconds(91)
    position.save()
    (one,) = unprotected(NOW)
    assert one.unprotected_because.startswith("the exchange holds less than it since 2026-03-02 11:58 UTC")


def test_an_account_that_is_switched_off_is_watched_by_nobody() -> None:
    off = factories.account("off", active=False)
    factories.everything_works(off, at=NOW)
    factories.guard("ETHUSDT", of=off, last_seen_at=NOW)
    (one,) = unprotected(NOW)
    assert one.unprotected_because == "account off is switched off"


def test_what_its_owner_has_exempted_is_nobodys_and_no_alarm() -> None:
    guard = factories.guard("ETHUSDT", last_seen_at=NOW - seconds(300))
    Exemption.objects.create(
        slot=guard.slot, reason="my own stop", created_at=NOW - seconds(60), until=NOW + timedelta(hours=1)
    )
    assert (only().exempt, only().protected) == (True, False)
    assert unprotected(NOW) == []


def test_a_position_without_a_stop_is_unprotected_until_the_safety_net_has_it() -> None:
    factories.everything_works(at=NOW)
    factories.core_position(state=PositionState.ERROR, armed_at=NOW - seconds(30))
    assert [one.kind for one in unprotected(NOW)] == ["core"]
    factories.guard(opened_at=NOW, last_seen_at=NOW)
    assert unprotected(NOW) == []


def test_a_guard_of_an_earlier_time_does_not_protect_a_position_without_a_stop() -> None:
    factories.everything_works(at=NOW)
    factories.guard(
        state=GuardState.CLOSED, opened_at=NOW - timedelta(days=2), closed_at=NOW - timedelta(days=1)
    )
    factories.core_position(state=PositionState.ERROR, armed_at=NOW - seconds(30))
    assert len(unprotected(NOW)) == 1


@pytest.mark.parametrize(
    ("side", "gain", "room"),
    [(Side.LONG, Decimal("6"), Decimal(1800)), (Side.SHORT, Decimal("-6"), Decimal(600))],
)
def test_result_and_room_before_the_stop_follow_from_the_last_price(
    side: Side, gain: Decimal, room: Decimal
) -> None:
    factories.everything_works(at=NOW, prices={"BTCUSDT": "60600"})
    factories.core_position(side=side)
    assert (only().unrealised, only().to_stop) == (gain, room)
    assert only().told()["price_age_s"] == 0


def test_a_guard_shows_the_newer_of_two_prices() -> None:
    factories.everything_works(at=NOW - seconds(10), prices={"ETHUSDT": "2000"})
    guard = factories.guard("ETHUSDT", last_price=Decimal(2010), last_seen_at=NOW - seconds(5))
    assert only().price == 2010
    guard.last_seen_at = NOW - seconds(15)
    guard.save()
    assert only().price == 2000


def test_limits_follow_the_settings(settings: Settings) -> None:
    factories.everything_works(at=NOW)
    factories.guard("ETHUSDT", last_seen_at=NOW - seconds(20))
    settings.POLL_INTERVAL_S = 5
    delay_poll(by_s=20)
    assert not only().protected


def test_signs_of_life_from_before_the_clock_was_set_back_protect_nothing() -> None:
    factories.everything_works(at=NOW)
    factories.core_position()
    silence_consumer(for_s=-3600)
    delay_poll(by_s=-3600)
    (one,) = unprotected(NOW)
    assert one.unprotected_because == (
        "the consumer has not worked since the clock was set back, "
        "and the poll has not worked since the clock was set back"
    )


def test_what_is_missing_since_before_the_clock_was_set_back_is_not_called_protected() -> None:
    factories.everything_works(at=NOW)
    factories.core_position(missing_since=NOW + seconds(3600))
    assert len(unprotected(NOW)) == 1
