"""What /metrics tells of the database: true at each scrape, and at the same price whatever there is."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from robson.gauges import Gauges
from robson.scrape import Scrape
from safetynet.models import Exemption, PollState
from tests import factories
from trading.domain.lifecycle import IntentState, PositionState
from trading.models import Heartbeat
from trading.models.intent import Owner, Purpose

pytestmark = pytest.mark.django_db


def scrape() -> Scrape:
    return Scrape(Client().get("/metrics").content.decode())


LATE = timedelta(minutes=5)


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def test_everything_that_is_at_stake_is_counted_by_who_protects_it() -> None:
    factories.everything_works()
    factories.core_position("BTCUSDT")
    factories.core_position("SOLUSDT", state=PositionState.ARMED)
    factories.guard("ETHUSDT", last_seen_at=timezone.now())
    exempt = factories.guard("XRPUSDT", last_seen_at=timezone.now())
    Exemption.objects.create(slot=exempt.slot, reason="mine", until=timezone.now() + LATE)
    found = scrape()
    assert found.by("robson_exposed_positions", "account", "protector") == {
        ("main", "core"): 1,
        ("main", "safety_net"): 1,
        ("main", "exempt"): 1,
    }
    assert found.value("robson_unprotected_positions", account="main") == 0


def test_what_nobody_would_close_is_counted_as_that() -> None:
    factories.everything_works()
    factories.core_position("BTCUSDT")
    factories.guard("ETHUSDT", last_seen_at=ago(300))
    Heartbeat.objects.update(at=ago(300))
    PollState.objects.update(last_success_at=ago(300))
    found = scrape()
    assert found.by("robson_exposed_positions", "protector") == {("nobody",): 2}
    assert found.value("robson_unprotected_positions", account="main") == 2


def test_live_order_intents_are_told_by_owner_and_state_with_the_age_of_the_oldest() -> None:
    btc, eth = factories.slot("BTCUSDT"), factories.slot("ETHUSDT")
    factories.intent(btc, created_at=ago(90))
    factories.intent(eth, created_at=ago(30), state=IntentState.UNKNOWN)
    factories.intent(eth, purpose=Purpose.ENTRY, owner=Owner.OPERATOR, created_at=ago(5))
    factories.intent(factories.slot("SOLUSDT"), state=IntentState.DONE, created_at=ago(900))
    found = scrape()
    assert found.by("robson_live_order_intents", "owner", "purpose", "state") == {
        ("core", "exit", "pending"): 1,
        ("core", "exit", "unknown"): 1,
        ("operator", "entry", "pending"): 1,
    }
    ages = found.by("robson_oldest_live_order_intent_age_seconds", "owner")
    assert ages == {("core",): pytest.approx(90, abs=5), ("operator",): pytest.approx(5, abs=5)}
    assert found.value("robson_oldest_live_order_intent_age_seconds", owner="safety_net") == 0


def test_an_order_from_before_the_clock_was_set_back_is_older_than_any_alert_allows() -> None:
    factories.intent(factories.slot(), created_at=ago(-3600))
    assert scrape().value("robson_oldest_live_order_intent_age_seconds", owner="core") > 3600


def test_prices_are_told_with_the_age_of_their_data_and_whether_their_stream_is_silent() -> None:
    factories.everything_works()
    told = {"price": "60000", "at_ms": int(ago(4).timestamp() * 1000), "age_s": 60.0, "source": "rest"}
    data = {"symbols": ["BTCUSDT", "ETHUSDT"], "stale": ["BTCUSDT"], "prices": {"BTCUSDT": told}}
    Heartbeat.objects.update(data=data)
    found = scrape()
    # REST has brought a price that the silent stream has not.
    assert found.by("robson_price_age_seconds", "symbol") == {("BTCUSDT",): pytest.approx(4, abs=3)}
    assert found.value("robson_price_stale", symbol="BTCUSDT") == 1
    assert found.value("robson_price_stale", symbol="ETHUSDT") == 0


def test_polls_tell_their_last_success_and_their_failures_since() -> None:
    factories.everything_works()
    last = datetime(2026, 3, 2, 12, tzinfo=UTC)
    PollState.objects.update(last_success_at=last, failures_in_a_row=3)
    found = scrape()
    assert found.value("safety_net_last_poll_success_timestamp_seconds", account="main") == last.timestamp()
    assert found.value("safety_net_poll_failures_in_a_row", account="main") == 3


def test_limits_of_the_exchange_are_told_with_what_is_kept_for_exits() -> None:
    found = scrape()
    assert found.value("robson_rate_limit_weight", limit="X-SAPI-USED-IP-WEIGHT-1M") == 12_000
    assert found.value("robson_rate_limit_exit_share") == pytest.approx(0.2)


def test_a_scrape_asks_as_much_with_many_positions_as_with_few() -> None:
    factories.everything_works()

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            list(Gauges(timezone.now()).collect())
        return len(queries)

    _one_of_each("A")
    few = cost()
    for letter in "BCDEFG":
        _one_of_each(letter)
    assert cost() == few <= 25


def _one_of_each(letter: str) -> None:
    account = factories.account(f"owner-{letter.lower()}")
    PollState.objects.create(account=account, last_success_at=timezone.now())
    position = factories.core_position(f"{letter}USDT", of=account)
    factories.guard(f"{letter}BTC", of=account)
    factories.core_position(f"{letter}ETH", state=PositionState.ERROR, of=account)
    factories.intent(position.slot)
