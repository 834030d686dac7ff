"""`robson arm`, against a real exchange process and a real database."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.trading.support import trade_on
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Account, Heartbeat, Position

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def exchange(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> SimulatorProcess:
    trade_on(simulator, settings, monkeypatch)
    simulator.control.price("BTCUSDT", "60000")
    return simulator


def said(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def refused(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        said(*arguments)
    return caught.value


def test_arm_with_nothing_but_a_symbol_arms_a_long_with_the_account_defaults() -> None:
    factories.account(capital=500, risk_percent=2)
    said("arm", "BTCUSDT")
    position = Position.objects.get()
    assert (position.state, position.slot.side) == (PositionState.ARMED, Side.LONG)
    assert position.capital == 500
    assert position.risk_percent == 2
    assert (position.fast_period, position.slow_period) == (9, 21)


def test_the_first_arm_makes_the_first_account() -> None:
    said("arm", "BTCUSDT")
    assert Account.objects.get().name == "main"


def test_arm_tells_quantity_stop_and_loss_in_money() -> None:
    factories.account()
    text = said("arm", "BTCUSDT")
    assert "0.00758 at the present price of 60000" in text
    assert "58800, 1200 away" in text
    assert "10.00 at the stop, fees included, out of 1000" in text


def test_arm_says_so_when_no_consumer_watches() -> None:
    err = StringIO()
    call_command("arm", "BTCUSDT", stdout=StringIO(), stderr=err)
    assert "consumer is not running" in err.getvalue()


def test_arm_is_silent_about_a_consumer_that_beats() -> None:
    Heartbeat.objects.create(name="consumer", at=datetime.now(UTC))
    err = StringIO()
    call_command("arm", "BTCUSDT", stdout=StringIO(), stderr=err)
    assert err.getvalue() == ""


def test_dry_run_prints_what_would_happen_and_writes_nothing() -> None:
    factories.account()
    text = said("arm", "BTCUSDT", "--dry-run")
    assert "Nothing was armed" in text
    assert "58800" in text
    assert not Position.objects.exists()


def test_every_option_of_arm_reaches_the_position() -> None:
    factories.account()
    averages = ("--fast", "5", "--slow", "30", "--interval", "1h")
    stop = ("--stop-distance", "700", "--activation", "59000", "--trailing-bps", "150")
    said("arm", "btcusdt", "--side", "short", "--capital", "900", "--risk", "0.5", *averages, *stop)
    position = Position.objects.get()
    assert str(position.slot.key) == "main:isolated_margin:BTCUSDT:short"
    assert (str(position.capital), str(position.risk_percent)) == ("900.000000000000", "0.500")
    assert (position.fast_period, position.slow_period) == (5, 30)
    assert (position.interval, position.stop_kind, position.stop_value) == ("1h", "distance", 700)
    assert (position.activation_price, position.trailing_bps) == (59000, 150)


def test_arm_as_json_gives_amounts_as_text() -> None:
    factories.account()
    answer = json.loads(said("arm", "BTCUSDT", "--json"))
    assert answer["armed"] is True
    assert answer["position_id"] == Position.objects.get().pk
    assert answer["expected"]["stop_price"] == "58800"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["NOSUCHUSDT"], "does not know the symbol"),
        (["BTCUSDT", "--capital", "6"], "too small"),
        (["BTCUSDT", "--stop-percent", "50"], "must be between"),
    ],
)
def test_a_refused_arm_says_why_and_writes_nothing(arguments: list[str], why: str) -> None:
    factories.account()
    error = refused("arm", *arguments)
    assert why in str(error)
    assert error.returncode == 1
    assert not Position.objects.exists()


def test_a_slot_that_is_armed_already_is_refused() -> None:
    factories.account()
    said("arm", "BTCUSDT")
    assert "already armed" in str(refused("arm", "BTCUSDT"))
    assert Position.objects.count() == 1


def test_averages_the_wrong_way_round_are_a_usage_error() -> None:
    error = refused("arm", "BTCUSDT", "--fast", "21", "--slow", "9")
    assert error.returncode == 2
    assert "--fast 9 --slow 21" in str(error)


def test_with_several_accounts_one_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_KEY", "another-key")
    factories.account("main")
    factories.account("second", api_key_env="SECOND_KEY")
    error = refused("arm", "BTCUSDT")
    assert (error.returncode, "main, second" in str(error)) == (2, True)
    said("arm", "BTCUSDT", "--account", "second")
    assert Position.objects.get().slot.account.name == "second"


def test_missing_keys_are_named_and_nothing_is_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.account()
    monkeypatch.delenv("BINANCE_API_SECRET")
    error = refused("arm", "BTCUSDT")
    assert str(error).startswith("BINANCE_API_SECRET not set")
    assert not Position.objects.exists()


def test_mixed_hosts_are_refused(settings: Settings) -> None:
    settings.BINANCE = {**settings.BINANCE, "BINANCE_API_URL": "https://api.binance.com"}
    assert "BINANCE_API_URL point at the live exchange" in str(refused("arm", "BTCUSDT"))


def test_an_exchange_that_is_away_is_told_without_a_traceback(settings: Settings) -> None:
    factories.account("elsewhere")
    settings.BINANCE = {**settings.BINANCE, "BINANCE_API_URL": "http://127.0.0.1:9"}
    assert "did not answer" in str(refused("arm", "BTCUSDT"))
    assert not Position.objects.exists()
