"""The pages for machines."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from safetynet.models import PollState
from tests import factories
from trading import metrics
from trading.domain.lifecycle import PositionState
from trading.models import Heartbeat

pytestmark = pytest.mark.django_db


def everything_works() -> None:
    now = datetime.now(UTC)
    Heartbeat.objects.create(name="consumer", at=now)
    PollState.objects.create(account=factories.account(), last_success_at=now)


def readiness(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, {part["name"]: part for part in answer.json()["parts"]}


def test_alive_needs_nothing_but_the_process(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert client.get("/healthz").json() == {"alive": True}


def test_ready_when_every_part_does_its_job(client: Client) -> None:
    everything_works()
    code, parts = readiness(client)
    assert code == 200, parts
    assert set(parts) == {"database", "broker", "consumer", "feed", "poll:main"}


def test_not_ready_without_a_consumer_or_a_poll(client: Client) -> None:
    code, parts = readiness(client)
    assert code == 503
    assert [name for name, part in parts.items() if not part["ready"]] == ["consumer", "poll"]


def test_not_ready_when_the_heartbeat_is_old(client: Client) -> None:
    everything_works()
    Heartbeat.objects.update(at=datetime.now(UTC) - timedelta(minutes=2))
    code, parts = readiness(client)
    assert (code, parts["consumer"]["ready"]) == (503, False)
    assert parts["consumer"]["age_s"] >= 120


def test_not_ready_on_the_word_of_a_clock_that_was_set_back(client: Client) -> None:
    everything_works()
    Heartbeat.objects.update(at=datetime.now(UTC) + timedelta(hours=1))
    PollState.objects.update(last_success_at=datetime.now(UTC) + timedelta(hours=1))
    code, parts = readiness(client)
    assert code == 503
    for name in ("consumer", "poll:main"):
        assert not parts[name]["ready"]
        assert "the clock was set back" in parts[name]["detail"]


def test_not_ready_when_the_poll_of_one_account_is_late(client: Client) -> None:
    everything_works()
    late = factories.account("second")
    PollState.objects.create(account=late, last_success_at=datetime.now(UTC) - timedelta(minutes=2))
    code, parts = readiness(client)
    assert code == 503
    assert (parts["poll:main"]["ready"], parts["poll:second"]["ready"]) == (True, False)


def test_an_account_that_was_never_polled_is_not_ready(client: Client) -> None:
    everything_works()
    factories.account("second")
    code, parts = readiness(client)
    assert (code, parts["poll:second"]["detail"]) == (503, "no successful poll yet")


def test_an_inactive_account_does_not_count(client: Client) -> None:
    everything_works()
    factories.account("old", active=False)
    assert readiness(client)[0] == 200


def test_not_ready_without_the_broker(client: Client, settings: Settings) -> None:
    everything_works()
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    code, parts = readiness(client)
    assert (code, parts["broker"]["ready"]) == (503, False)


def silent_for(seconds: float, *symbols: str) -> None:
    """The streams of these symbols have said nothing for so long, as the consumer tells."""
    told = {"price": "60000", "at_ms": 1, "age_s": seconds, "source": "rest"}
    data = {"symbols": list(symbols), "stale": list(symbols), "prices": dict.fromkeys(symbols, told)}
    Heartbeat.objects.update(data=data)


def test_a_silent_stream_with_a_position_open_is_not_ready_and_named(client: Client) -> None:
    everything_works()
    factories.core_position("BTCUSDT")
    factories.core_position("ETHUSDT", state=PositionState.ARMED)
    silent_for(31, "BTCUSDT", "ETHUSDT")
    code, parts = readiness(client)
    assert (code, {name for name in parts if "feed" in name}) == (503, {"feed:BTCUSDT"})
    assert "silent for 31." in parts["feed:BTCUSDT"]["detail"]


def test_a_silent_stream_that_no_stop_depends_on_is_no_news(client: Client) -> None:
    everything_works()
    factories.core_position("BTCUSDT", state=PositionState.CLOSED)
    factories.guard("ETHUSDT")
    silent_for(31, "BTCUSDT", "ETHUSDT")
    assert readiness(client)[0] == 200


def test_a_stream_that_never_spoke_is_named_too(client: Client) -> None:
    everything_works()
    factories.core_position("BTCUSDT")
    Heartbeat.objects.update(data={"symbols": ["BTCUSDT"], "stale": ["BTCUSDT"], "prices": {}})
    code, parts = readiness(client)
    assert (code, parts["feed:BTCUSDT"]["age_s"]) == (503, None)


def test_metrics_show_counters_and_the_state_of_every_part(client: Client) -> None:
    everything_works()
    metrics.FRAMES.labels(outcome="web_test").inc()
    text = client.get("/metrics").content.decode()
    assert 'robson_market_frames_total{outcome="web_test"}' in text
    assert 'robson_ready{part="consumer"} 1.0' in text
    assert 'robson_age_seconds{part="poll:main"}' in text


def test_the_front_page_leads_to_the_login(client: Client) -> None:
    answer = client.get("/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/admin/login/")


@pytest.mark.parametrize("page", ["/healthz", "/readyz", "/metrics"])
def test_pages_for_machines_only_answer(client: Client, page: str) -> None:
    assert client.post(page).status_code == 405
