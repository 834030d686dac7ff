"""System checks of the environment: silent on a bare clone, strict before a deployment."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from pytest_django.fixtures import Settings

from robson import checks
from tests import factories
from trading import startup

SIMULATED = {
    "BINANCE_API_URL": "http://127.0.0.1:8900",
    "BINANCE_FAPI_URL": "http://127.0.0.1:8900",
    "BINANCE_STREAM_URL": "ws://127.0.0.1:8900",
    "BINANCE_FSTREAM_URL": "ws://127.0.0.1:8900",
    "BINANCE_WS_API_URL": "ws://127.0.0.1:8900/ws-api/v3",
}


def test_a_bare_clone_passes_the_plain_checks() -> None:
    call_command("check", fail_level="WARNING")


def test_a_deployment_without_hosts_or_permission_fails() -> None:
    with pytest.raises(SystemCheckError, match="ROBSON_LIVE=1"):
        call_command("check", deploy=True, tags=["security"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"BINANCE_API_URL": "https://api.binance.com"}, "BINANCE_API_URL point at the live exchange"),
        ({"BINANCE_API_URL": "127.0.0.1:8900"}, "must look like https://host"),
        ({"BINANCE_STREAM_URL": ""}, "BINANCE_STREAM_URL"),
    ],
)
def test_hosts_that_do_not_belong_together_are_an_error(
    settings: Settings, change: dict[str, str], says: str
) -> None:
    settings.BINANCE = SIMULATED | change
    (message,) = checks.hosts_belong_together()
    assert message.id == "robson.E001"
    assert says in message.msg


def test_simulated_hosts_are_fine(settings: Settings) -> None:
    settings.BINANCE = SIMULATED
    assert checks.hosts_belong_together() == []


@pytest.mark.django_db
def test_missing_keys_are_a_warning_that_names_the_variable() -> None:
    factories.account(api_key_env="OTHER_KEY", api_secret_env="OTHER_SECRET")
    found = checks.keys_are_there(databases=["default"])
    assert [message.msg for message in found] == ["OTHER_KEY is not set.", "OTHER_SECRET is not set."]
    assert not any(message.is_serious() for message in found)


@pytest.mark.django_db
def test_a_process_that_trades_refuses_to_start_without_keys(settings: Settings) -> None:
    settings.BINANCE = SIMULATED
    account = factories.account(api_key_env="OTHER_KEY", api_secret_env="OTHER_SECRET")
    with pytest.raises(CommandError, match="OTHER_KEY and OTHER_SECRET not set"):
        startup.require_exchange([account])


def test_a_process_that_trades_refuses_to_start_on_mixed_hosts(settings: Settings) -> None:
    settings.BINANCE = SIMULATED | {"BINANCE_FAPI_URL": "https://fapi.binance.com"}
    with pytest.raises(CommandError, match="BINANCE_FAPI_URL"):
        startup.require_exchange()
