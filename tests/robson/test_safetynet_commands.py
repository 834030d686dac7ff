"""`robson safetynet`, `robson poll` and `robson exempt`."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from safetynet.models import Exemption, GuardedPosition, PollState
from tests import factories
from tests.trading.support import run, trade_on
from trading.domain.events import EventKind
from trading.domain.types import Side
from trading.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

# Named, so that no running simulator is looked for.
ELSEWHERE = {"BINANCE_API_URL": "http://127.0.0.1:9"}


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def as_json(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


@pytest.fixture
def exchange(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> SimulatorProcess:
    trade_on(simulator, settings, monkeypatch)
    simulator.control.price("ETHUSDT", "2000")
    return simulator


def test_safetynet_tells_what_it_guards_and_what_it_leaves_to_core() -> None:
    now = datetime.now(UTC)
    PollState.objects.create(account=factories.account(), polls=7, last_success_at=now - timedelta(seconds=9))
    factories.guard("ETHUSDT", Side.SHORT, entry="2000", quantity="0.5", last_price=2010)
    core = factories.core_position("BTCUSDT")
    text = " ".join(said("safetynet").split())
    assert re.search(r"last good poll \d+ s ago, 7 polls", text)
    assert "guarding ETHUSDT Short 0.5 from 2000, stop 2040, last seen at 2010" in text
    assert f"skipping BTCUSDT Long Core's position {core.pk} (active)" in text


def test_safetynet_that_never_polled_says_how_to_make_it() -> None:
    factories.account()
    assert "never polled" in said("safetynet")
    assert "robson poll" in said("safetynet")


def test_safetynet_shows_failures_since_the_last_good_poll() -> None:
    PollState.objects.create(
        account=factories.account(),
        last_success_at=datetime.now(UTC),
        failures_in_a_row=3,
        last_error="time-out",
    )
    assert "3 failures since: time-out" in said("safetynet")


def test_poll_finds_what_the_owner_opened_by_hand(exchange: SimulatorProcess) -> None:
    factories.account()
    exchange.control.trade("BUY", "0.5", symbol="ETHUSDT")
    assert as_json("poll")["main"]["monitored"] == 1
    (shown,) = as_json("safetynet")
    (guard,) = shown["guards"]
    assert guard["slot"] == "main:isolated_margin:ETHUSDT:long"
    assert Decimal(guard["stop_price"]) == Decimal(guard["entry_price"]) * Decimal("0.98")


def test_a_poll_that_cannot_ask_is_a_failure_that_changes_nothing(exchange: SimulatorProcess) -> None:
    factories.account()
    guard = factories.guard("ETHUSDT")
    exchange.control.fault("http_status", status=503)
    with pytest.raises(CommandError, match="next poll tries again"):
        said("poll")
    assert GuardedPosition.objects.get().state == guard.state


def test_exempt_switches_a_stop_off_with_reason_and_author() -> None:
    factories.account()
    factories.guard("ETHUSDT")
    text = said("exempt", "ethusdt", "--hours", "2", "--reason", "staking")
    assert "ETHUSDT Long is exempt until" in text
    assert "EXEMPT, the stop is off" in said("safetynet")
    event = Event.objects.get(kind=EventKind.GUARD_EXEMPTED)
    assert (event.data["reason"], bool(event.data["by"])) == ("staking", True)


def test_an_account_can_be_exempted_before_it_is_switched_on() -> None:
    factories.account("later", active=False)
    assert "is exempt until" in said("exempt", "ETHUSDT", "--account", "later", "--reason", "staking")
    assert Exemption.objects.get().slot.account.name == "later"
    assert "protected again" in said("exempt", "ETHUSDT", "--account", "later", "--end")


def test_the_answer_of_exempt_is_all_that_it_says() -> None:
    factories.account()
    outcome = run("exempt", "ETHUSDT", "--reason", "staking", environment=ELSEWHERE)
    assert (outcome.code, outcome.err) == (0, "")
    assert len(outcome.out.splitlines()) == 1


def test_a_refusal_is_one_plain_sentence_on_stderr() -> None:
    factories.account()
    outcome = run("exempt", "ETHUSDT", "--end", environment=ELSEWHERE)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "ETHUSDT Long is not exempt; `robson safetynet` lists exemptions.\n"


def test_a_refusal_of_usage_is_plain_too_and_has_a_code_of_its_own() -> None:
    factories.account()
    outcome = run("exempt", "ETHUSDT", "--account", "nobody", "--end", environment=ELSEWHERE)
    assert (outcome.code, outcome.err) == (2, "There is no account 'nobody'; there are: main.\n")


def test_the_end_of_an_exemption_protects_again() -> None:
    factories.account()
    said("exempt", "ETHUSDT", "--reason", "staking")
    assert "protected again" in said("exempt", "ETHUSDT", "--end")
    assert Exemption.objects.get().ended_at is not None
    with pytest.raises(CommandError, match="is not exempt"):
        said("exempt", "ETHUSDT", "--end")


def test_an_exemption_without_a_reason_is_refused() -> None:
    factories.account()
    with pytest.raises(CommandError, match="needs a reason"):
        said("exempt", "ETHUSDT", "--reason", " ")
    assert not Exemption.objects.exists()
