"""The arm form of the admin, against a real exchange process."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.trading.support import trade_on
from trading import metrics
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Event, Position

pytestmark = pytest.mark.django_db(transaction=True)

FORM: dict[str, Any] = {
    "symbol": "btcusdt",
    "side": "long",
    "fast_period": 9,
    "slow_period": 21,
    "interval": "15m",
    "stop_kind": "percent",
    "stop_value": 2,
}


@pytest.fixture(autouse=True)
def exchange(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> SimulatorProcess:
    settings.STATIC_ROOT = str(tmp_path)
    trade_on(simulator, settings, monkeypatch)
    simulator.control.price("BTCUSDT", "60000")
    return simulator


def send(client: Client, button: str = "arm", **changes: Any) -> Any:
    account = factories.account()
    data = {**FORM, "account": account.pk, **changes, button: "1"}
    return client.post(reverse("admin:trading_position_add"), data)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_form_opens_with_defaults_that_are_enough(admin_client: Client) -> None:
    factories.account()
    form = admin_client.get(reverse("admin:trading_position_add")).context["form"]
    initial = {name: field.initial for name, field in form.fields.items() if field.initial is not None}
    assert {name: str(value) for name, value in initial.items()} == {
        name: str(value) for name, value in FORM.items() if name != "symbol"
    }
    assert form.initial["account"] == factories.account()


def test_without_an_account_the_form_leads_to_making_one(admin_client: Client) -> None:
    assert reverse("admin:trading_account_add") in text_of(
        admin_client.get(reverse("admin:trading_position_add"))
    )


def test_the_form_arms_and_leads_to_the_position(admin_client: Client) -> None:
    answer = send(admin_client)
    position = Position.objects.get()
    assert answer.url == reverse("admin:trading_position_change", args=[position.pk])
    assert (position.state, position.slot.symbol, position.capital) == (PositionState.ARMED, "BTCUSDT", 1000)


def test_who_armed_is_on_record(admin_client: Client, admin_user: User) -> None:
    send(admin_client)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (admin_user, str(Position.objects.get().pk))


def test_preview_shows_size_stop_and_loss_and_writes_nothing(admin_client: Client) -> None:
    text = text_of(send(admin_client, "preview"))
    for part in ("0.00758", "58800", "10.00"):
        assert part in text
    assert not Position.objects.exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"symbol": "NOSUCHUSDT"}, "does not know the symbol"),
        ({"capital": "6"}, "too small"),
        ({"stop_value": "40"}, "must be between"),
        ({"symbol": "BTC-USDT"}, "Letters and digits only"),
        ({"fast_period": 30}, "must be shorter"),
        ({"stop_value": "0"}, "Must be above zero"),
        ({"interval": "7m"}, "Select a valid choice"),
    ],
)
def test_a_refusal_is_an_error_of_the_form_and_nothing_is_written(
    admin_client: Client, changes: dict[str, Any], why: str
) -> None:
    answer = send(admin_client, **changes)
    assert answer.status_code == 200
    assert why in text_of(answer)
    assert not Position.objects.exists()


def test_paused_entries_are_told_on_the_form(admin_client: Client) -> None:
    factories.account(entries_paused=True)
    assert "entries are paused on the account main" in text_of(send(admin_client)).lower()


def test_an_exchange_that_is_away_is_an_error_of_the_form(admin_client: Client, settings: Settings) -> None:
    settings.BINANCE = {**settings.BINANCE, "BINANCE_API_URL": "http://127.0.0.1:9"}
    assert "did not answer" in text_of(send(admin_client))


def test_missing_keys_are_an_error_of_the_form(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BINANCE_API_KEY")
    assert "set BINANCE_API_KEY" in text_of(send(admin_client))


def test_why_it_was_armed_is_an_event_with_its_author(admin_client: Client) -> None:
    send(admin_client, reason="breakout")
    event = Event.objects.get(kind=EventKind.POSITION_ARMED)
    assert (event.data["by"], event.data["reason"]) == ("admin", "breakout")


# While the form is filled in.


def prospect(client: Client, **changes: Any) -> Any:
    account = factories.account()
    return client.post(reverse("admin:trading_position_prospect"), {**FORM, "account": account.pk, **changes})


def asked(call: str) -> float:
    """How often this process has asked the exchange for it."""
    value: float = metrics.EXCHANGE_CALLS.labels(call=call, outcome="ok")._value.get()
    return value


def test_what_it_would_lead_to_is_shown_before_anything_is_written(admin_client: Client) -> None:
    text = text_of(prospect(admin_client))
    for part in ("60000 USDT", "0.00758 BTC", "58800 USDT", "10.00 USDT", "454.8"):
        assert part in text
    assert "<html" not in text
    assert not Position.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"symbol": "NOSUCHUSDT"}, "does not know the symbol"),
        ({"capital": "6"}, "too small"),
        ({"stop_value": "40"}, "must be between"),
        ({"stop_value": "0"}, "Stop value: Must be above zero"),
        ({"fast_period": 30}, "must be shorter"),
        ({"symbol": ""}, "Choose a symbol"),
    ],
)
def test_why_it_would_be_refused_is_told_in_a_sentence(
    admin_client: Client, changes: dict[str, Any], why: str
) -> None:
    assert why in text_of(prospect(admin_client, **changes))


def test_paused_entries_are_told_before_arming_is_tried(admin_client: Client) -> None:
    factories.account(entries_paused=True)
    text = text_of(prospect(admin_client))
    assert "Entries are paused on main" in text
    assert "58800" in text


def test_a_form_that_asks_with_each_letter_asks_the_exchange_once_in_a_while(admin_client: Client) -> None:
    prospect(admin_client)
    before = asked("price")
    for capital in ("100", "200", "300"):
        assert "60000" in text_of(prospect(admin_client, capital=capital))
    assert asked("price") - before <= 1


def find(client: Client, text: str) -> Any:
    account = factories.account()
    return client.get(reverse("admin:trading_position_symbols"), {"q": text, "account": str(account.pk)})


def test_a_few_letters_find_the_pairs_that_can_be_traded(admin_client: Client) -> None:
    found = find(admin_client, "bt").json()
    assert found["symbols"][0] == {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT"}
    assert find(admin_client, "lunc").json()["symbols"] == []


def test_the_list_of_pairs_is_not_asked_for_with_each_letter(admin_client: Client) -> None:
    find(admin_client, "b")
    before = asked("listed_pairs")
    find(admin_client, "bt")
    assert asked("listed_pairs") == before


def test_a_list_of_pairs_that_cannot_be_read_leaves_the_form_usable(
    admin_client: Client, settings: Settings
) -> None:
    settings.BINANCE = {**settings.BINANCE, "BINANCE_API_URL": "http://127.0.0.1:9"}
    answer = find(admin_client, "btc").json()
    assert answer["symbols"] == []
    assert "type it in full" in answer["refused"]


@pytest.mark.parametrize("name", ["add", "prospect", "symbols"])
def test_a_reader_neither_arms_nor_asks_the_exchange(client: Client, name: str) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_position"))
    client.force_login(reader)
    page = reverse(f"admin:trading_position_{name}")
    assert client.post(page, {**FORM, "account": factories.account().pk}).status_code == 403
    assert not Position.objects.exists()
