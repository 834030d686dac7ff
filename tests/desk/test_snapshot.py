"""What the live page says: the loudest first, and nothing healthy that is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from robson.alarms.models import Alarm
from robson.desk.cards import Tone
from robson.desk.snapshot import Snapshot, snapshot
from safetynet.models import Exemption, PollState
from tests import factories
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side
from trading.models import Account, Heartbeat

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(minutes=10)


@pytest.fixture(autouse=True)
def main() -> Account:
    """An account that is polled, and a consumer that works."""
    Heartbeat.objects.create(name="consumer", at=NOW)
    account = factories.account()
    PollState.objects.create(account=account, last_success_at=NOW)
    return account


def nobody_works() -> None:
    Heartbeat.objects.update(at=LONG_AGO)
    PollState.objects.update(last_success_at=LONG_AGO)


def seen() -> Snapshot:
    return snapshot(NOW)


def test_with_nothing_open_nothing_is_at_stake() -> None:
    headline = seen().headline
    assert (headline.text, headline.detail) == ("Nothing is at stake", "No position is open.")
    assert not headline.troubled


def test_everything_is_protected_when_all_work() -> None:
    factories.core_position()
    factories.guard("ETHUSDT", last_seen_at=NOW)
    headline = seen().headline
    assert (headline.text, headline.detail) == ("Everything is protected", "2 positions protected.")


def test_a_position_without_protection_is_the_first_and_the_loudest() -> None:
    factories.core_position("AAAUSDT")
    factories.guard("ZZZUSDT", of=factories.account("second", active=False))
    found = seen()
    assert (found.headline.tone, found.headline.text) == (Tone.LOUD, "1 position WITHOUT protection")
    assert (found.cards[0].symbol, found.cards[0].tone) == ("ZZZUSDT", Tone.LOUD)
    (danger,) = found.dangers
    assert "switched off" in danger.because
    assert "Switch the account on" in danger.advice


def test_the_same_danger_is_said_once_for_all_its_positions() -> None:
    factories.core_position("BTCUSDT")
    factories.core_position("ETHUSDT")
    nobody_works()
    found = seen()
    assert found.headline.text == "2 positions WITHOUT protection"
    (danger,) = found.dangers
    assert [card.symbol for card in danger.cards] == ["BTCUSDT", "ETHUSDT"]
    assert "make run" in danger.advice


def test_an_exempt_position_is_marked_and_calm() -> None:
    guard = factories.guard(last_seen_at=NOW)
    Exemption.objects.create(
        slot=guard.slot, reason="long-term bag", created_at=NOW, until=NOW + timedelta(hours=1)
    )
    found = seen()
    assert (found.cards[0].tone, found.headline.tone) == (Tone.EXEMPT, Tone.CALM)
    assert "nobody: exempt until" in found.cards[0].protected_by
    assert "exempt" in found.headline.text


@pytest.mark.parametrize("open_position", [True, False])
def test_a_part_that_does_not_work_is_never_a_calm_headline(open_position: bool) -> None:
    if open_position:
        factories.core_position()
    Heartbeat.objects.update(at=LONG_AGO)
    headline = seen().headline
    assert headline.troubled
    assert "Not working: Consumer" in headline.detail


def test_the_exchange_is_judged_by_what_was_heard_of_it() -> None:
    nobody_works()
    exchange = next(part for part in seen().parts if part.name == "Exchange")
    assert (exchange.works, exchange.detail) == (False, "nothing heard for 600 s")


def test_what_has_ended_is_shown_for_a_day_with_its_result() -> None:
    for hours, symbol in ((1, "BTCUSDT"), (25, "ETHUSDT")):
        factories.core_position(
            symbol,
            state=PositionState.CLOSED,
            closed_at=NOW - timedelta(hours=hours),
            exit_price="61000",
            realised_pnl="9.274",
        )
    over: dict[str, Any] = {"state": GuardState.CLOSED, "end_reason": "closed by hand"}
    short: dict[str, Any] = {"side": Side.SHORT, "entry": "200", "quantity": "3", "exit_price": "204.125"}
    factories.guard("XRPUSDT", closed_at=NOW, **over)
    factories.guard("SOLUSDT", closed_at=NOW - timedelta(minutes=1), **over, **short)
    assert [(one.symbol, str(one.profit)) for one in seen().ended] == [
        ("XRPUSDT", "None"),
        ("SOLUSDT", "-12.38"),
        ("BTCUSDT", "9.27"),
    ]


def test_the_last_alarms_are_shown_with_what_to_do_while_they_last() -> None:
    told: dict[str, Any] = {
        "kind": "consumer dead", "severity": "critical", "subject": "consumer", "text": "Silent for 20 s.",
        "to_do": "Start it.", "lasting": True, "raised_at": NOW, "last_seen_at": NOW,
    }  # fmt: skip
    Alarm.objects.create(key="before", cleared_at=NOW, **told)
    Alarm.objects.create(key="still", **told)
    assert [(one.subject, one.severity, one.lasts, one.to_do) for one in seen().notices] == [
        ("consumer dead: consumer", "critical", True, "Start it."),
        ("consumer dead: consumer", "critical", False, ""),
    ]


def test_a_paused_account_is_named() -> None:
    factories.account("second", entries_paused=True)
    assert seen().paused == ("second",)


def test_a_price_that_has_not_moved_for_a_while_is_called_old(settings: Settings) -> None:
    told = {"price": "60000", "at_ms": int(NOW.timestamp() * 1000), "age_s": 0.1, "source": "stream"}
    Heartbeat.objects.update(data={"prices": {"BTCUSDT": told, "ETHUSDT": told | {"age_s": 11}}})
    factories.core_position("BTCUSDT")
    factories.core_position("ETHUSDT")
    assert {card.symbol: card.price_is_old for card in seen().cards} == {"BTCUSDT": False, "ETHUSDT": True}


def test_the_number_of_queries_does_not_grow_with_what_is_shown(
    django_assert_num_queries: DjangoAssertNumQueries, main: Account
) -> None:
    def fill(prefix: str) -> None:
        for number in range(10):
            factories.core_position(f"{prefix}{number}USDT")
            factories.guard(f"{prefix}G{number}USDT", last_seen_at=NOW)
            factories.core_position(f"{prefix}F{number}USDT", state=PositionState.ERROR)

    fill("A")
    with CaptureQueriesContext(connection) as few:
        snapshot(NOW)
    fill("B")
    with django_assert_num_queries(len(few)):
        assert len(snapshot(NOW).cards) == 60
