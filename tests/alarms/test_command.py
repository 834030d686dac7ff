"""`robson alarms`: what is wrong, what was told, and whether the channels work."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django.fixtures import Settings

from robson import alarms, health, tasks
from robson.alarms.book import Book
from robson.alarms.channels import apprise_channel
from robson.alarms.draft import Draft, Links
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm
from robson.local.ports import free_port
from tests.alarms.endpoint import Endpoint
from tests.trading.support import run
from trading.models import Heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def show(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command in this process, with these channels; what it printed."""

    def shown(*arguments: str, channels: str = "") -> str:
        settings.ALARM_URLS = channels
        call_command("alarms", *arguments)
        return capsys.readouterr().out

    return shown


@pytest.fixture
def _two_alarms() -> None:
    now = timezone.now()
    failing = Draft(
        Kind.EXIT_FAILING,
        "exit:9",
        Severity.CRITICAL,
        "BTCUSDT Long",
        "It has failed [6 times]",
        now,
        lasting=True,
        account="main",
        links=Links(position_id=3, intent_id=9),
    )
    dust = Draft(Kind.DUST, "event:1", Severity.INFO, "ETHUSDT Long", "Too small.", now, account="other")
    Book((), now).write([dust], [failing], now)


def _channels(endpoint: Endpoint) -> list[dict[str, str]]:
    channel = apprise_channel(endpoint.address, Severity.INFO)
    assert channel is not None
    return [{"name": channel.name, "error": "HTTP 500"}]


def test_an_empty_list_says_so_and_how_to_be_told() -> None:
    outcome = run("alarms", environment={"ROBSON_ALARM_URLS": ""})
    assert (outcome.code, outcome.err) == (0, "")
    assert "No alarms." in outcome.out
    assert "set ROBSON_ALARM_URLS" in outcome.out
    assert "NOBODY TELLS ALARMS: no heartbeat yet" in outcome.out


@pytest.mark.usefixtures("_two_alarms")
def test_what_is_open_comes_first_and_says_what_to_do(show: Callable[..., str], endpoint: Endpoint) -> None:
    Heartbeat.objects.create(name=health.ALARMS, at=timezone.now(), data={"channels": _channels(endpoint)})
    out = show(channels=f"critical={endpoint.address}")
    assert out.index("BTCUSDT Long") < out.index("ETHUSDT Long")
    assert "It has failed [6 times]" in out
    assert "Robson keeps trying." in out
    shown = f"json://127.0.0.1:{endpoint.port}/"
    assert f"told to {shown}, critical only or louder: FAILING, HTTP 500" in out
    assert "NOBODY" not in out


@pytest.mark.usefixtures("_two_alarms")
def test_json_has_the_same_and_may_be_of_one_account(show: Callable[..., str], endpoint: Endpoint) -> None:
    told = json.loads(show("--json", channels=endpoint.address))
    assert [(one["kind"], one["open"]) for one in told["alarms"]] == [("exit failing", True), ("dust", False)]
    assert told["alarms"][0]["intent_id"] == 9
    assert told["channels"][0]["waiting"] == 0
    alone = json.loads(show("--json", "--account", "other"))
    assert [one["kind"] for one in alone["alarms"]] == ["dust"]


def test_a_trial_says_for_each_channel_whether_it_went_through(
    settings: Settings, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = f"json://ada:lovelace99@127.0.0.1:{free_port(0)}/"
    settings.ALARM_URLS = f"{endpoint.address} {dead}"
    with pytest.raises(CommandError, match="1 of 2 channels failed"):
        call_command("alarms", "--test", "--json")
    told = capsys.readouterr().out
    assert [bool(one["error"]) for one in json.loads(told)] == [False, True]
    assert "lovelace99" not in told
    assert [message.title for message in endpoint.messages] == ["Robson: test"]


def test_a_trial_of_channels_that_work_says_so(show: Callable[..., str], endpoint: Endpoint) -> None:
    out = show("--test", channels=endpoint.address)
    assert out.strip() == f"json://127.0.0.1:{endpoint.port}/: went through"


def test_a_bad_address_is_told_in_a_sentence(show: Callable[..., str]) -> None:
    with pytest.raises(CommandError, match="ROBSON_ALARM_URLS: address 1 must look like"):
        show("--test", channels="nonsense")


def test_the_alarms_do_not_start_on_a_bad_address() -> None:
    outcome = run("runalarms", program="manage", environment={"ROBSON_ALARM_URLS": "nonsense"})
    assert outcome.code == 1
    assert "ROBSON_ALARM_URLS: address 1 must look like" in outcome.err


@pytest.mark.usefixtures("_two_alarms")
def test_what_is_older_than_the_keeping_time_is_pruned() -> None:
    Alarm.objects.update(cleared_at=timezone.now() - timedelta(days=alarms.KEEP_DAYS, hours=1), lasting=False)
    assert tasks.prune_alarms() == 2
