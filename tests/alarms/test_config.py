"""What the environment may say about alarms, and what is said about what it may not."""

import logging
from collections.abc import Iterator
from datetime import time
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django.fixtures import Settings

from robson import checks
from robson.alarms import config
from robson.alarms.channels import Ping, SendError, apprise_channel, without_secrets
from robson.alarms.kinds import Severity
from robson.alarms.messages import Message
from robson.local.ports import free_port
from tests.alarms.endpoint import Endpoint

TOKEN = "123456789:abcdefghij_klmnop"
HELLO = Message("title", "body", Severity.INFO)


def test_nothing_needs_to_be_configured(settings: Settings) -> None:
    settings.ALARM_URLS = settings.ALARM_DIGEST_AT = settings.HEARTBEAT_URL = ""
    assert config.read() == config.Config()


def test_addresses_are_separated_by_white_space_and_may_hold_commas(settings: Settings) -> None:
    settings.ALARM_URLS = f"mailto://u:p@example.com?to=a@b.c,d@e.f\n critical=tgram://{TOKEN}/12315544/"
    mail, phone = config.read().channels
    assert (mail.least, phone.least) == (Severity.INFO, Severity.CRITICAL)
    assert mail.name != phone.name
    assert "a@b.c,d@e.f" in mail.address


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ALARM_URLS", "nonsense", "address 1 must look like"),
        (
            "ALARM_URLS",
            f"json://127.0.0.1/ loud=tgram://{TOKEN}/1/",
            "'loud', which is none of info, warning",
        ),
        ("ALARM_URLS", f"tgramm://{TOKEN}/12315544/", "does not understand address 1 (tgramm://...)"),
        ("ALARM_URLS", "json://127.0.0.1/ json://127.0.0.1/", "names an address twice"),
        ("ALARM_DIGEST_AT", "six", "ROBSON_ALARM_DIGEST_AT must be a time of day in UTC such as 06:00"),
        ("HEARTBEAT_URL", f"hc-ping.com/{TOKEN}", "ROBSON_HEARTBEAT_URL must look like https://host/"),
    ],
)
def test_a_bad_value_is_told_in_one_sentence_without_its_secret(
    settings: Settings, name: str, value: str, says: str
) -> None:
    setattr(settings, name, value)
    (message,) = checks.alarms_can_be_told()
    assert message.id == "robson.E011"
    assert says in message.msg
    assert TOKEN not in message.msg


def test_a_deployment_with_a_bad_address_fails_its_checks(settings: Settings) -> None:
    settings.ALARM_URLS = "nonsense"
    with pytest.raises(SystemCheckError, match="ROBSON_ALARM_URLS"):
        call_command("check", deploy=True, tags=["security"])


@pytest.mark.parametrize(
    ("text", "at"), [("06:00", time(6)), ("off", None), ("", None), ("23:45", time(23, 45))]
)
def test_the_digest_has_a_time_of_day_or_is_off(settings: Settings, text: str, at: time | None) -> None:
    settings.ALARM_DIGEST_AT = text
    assert config.read().digest_at == at


@pytest.mark.parametrize(
    "address",
    [
        f"tgram://{TOKEN}/12315544/",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "mailto://ada:lovelace99@example.com",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/%23general",
    ],
)
def test_what_is_shown_of_an_address_is_not_enough_to_use_it(address: str) -> None:
    channel = apprise_channel(address, Severity.INFO)
    assert channel is not None
    for secret in (TOKEN, "JHMHI8qBe7bk2ZwO5U711o3dV_js", "lovelace99", "TIiajkdnlazkcOXrIdevi7FQ"):
        assert secret not in channel.shown
        assert secret not in without_secrets(f"POST {address} failed", address)


@pytest.fixture
def log_of_the_process() -> Iterator[StringIO]:
    """What reaches the root of the log, where every process writes to stderr."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_a_failure_says_why_without_the_secret_and_apprise_itself_logs_nothing(
    endpoint: Endpoint, log_of_the_process: StringIO
) -> None:
    endpoint.status = 403
    channel = apprise_channel(f"json://ada:lovelace99@127.0.0.1:{endpoint.port}/secretpath", Severity.INFO)
    assert channel is not None
    with pytest.raises(SendError, match="403") as failure:
        channel.send(HELLO)
    assert "lovelace99" not in str(failure.value)
    assert "secretpath" not in str(failure.value)
    assert log_of_the_process.getvalue() == ""


def test_a_heartbeat_that_fails_names_its_host_only(endpoint: Endpoint) -> None:
    Ping(f"http://127.0.0.1:{endpoint.port}/uuid-of-mine").send(HELLO)
    assert len(endpoint.pings) == 1
    endpoint.status = 404
    for ping in (
        Ping(f"http://127.0.0.1:{endpoint.port}/uuid-of-mine"),
        Ping(f"http://127.0.0.1:{free_port(0)}/uuid-of-mine"),
    ):
        with pytest.raises(SendError) as failure:
            ping.send(HELLO)
        assert "127.0.0.1" in str(failure.value)
        assert "uuid" not in str(failure.value)
