"""Accounts in the admin: what is done to one is asked before, and is an event with its author and reason."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests import factories
from trading.domain.events import EventKind
from trading.domain.lifecycle import MANAGED_STATES, PositionState
from trading.models import Account, Event

pytestmark = pytest.mark.django_db

SETTINGS = {
    "capital": "1000",
    "risk_percent": "1",
    "safety_stop_percent": "2",
    "api_key_env": "BINANCE_API_KEY",
    "api_secret_env": "BINANCE_API_SECRET",
    "reason": "too much",
}


def page(name: str, *arguments: int) -> str:
    return reverse(f"admin:trading_account_{name}", args=arguments)


def question(verb: str, account: Account) -> str:
    return f"{page(verb)}?ids={account.pk}"


def answer(client: Client, verb: str, account: Account, **answers: str) -> Any:
    return client.post(question(verb, account), {"reason": "news", **answers}, follow=True)


def messages(answered: Any) -> str:
    return " ".join(str(message) for message in answered.context["messages"])


def reread(account: Account) -> Account:
    account.refresh_from_db()
    return account


def test_panic_closes_everything_of_an_account_after_a_question(admin_client: Client) -> None:
    active = factories.core_position("BTCUSDT")
    armed = factories.core_position("ETHUSDT", state=PositionState.ARMED)
    account = factories.account()
    assert "paused" in admin_client.get(question("panic", account)).content.decode()
    answer(admin_client, "panic", account)
    assert reread(account).entries_paused
    active.refresh_from_db()
    armed.refresh_from_db()
    assert (active.state, armed.state) == (PositionState.EXITING, PositionState.CANCELLED)
    assert Event.objects.get(kind=EventKind.ACCOUNT_PAUSED).data["by"] == "admin"


def test_a_pause_and_its_end_are_events_with_author_and_reason(admin_client: Client) -> None:
    account = factories.account()
    answer(admin_client, "pause", account)
    assert reread(account).entries_paused
    answer(admin_client, "resume", account)
    assert not reread(account).entries_paused
    told = {event.kind: (event.data["by"], event.data["reason"]) for event in Event.objects.all()}
    assert told == {
        EventKind.ACCOUNT_PAUSED: ("admin", "news"),
        EventKind.ACCOUNT_RESUMED: ("admin", "news"),
    }


def test_a_pause_that_is_there_already_is_told_and_writes_nothing(admin_client: Client) -> None:
    account = factories.account(entries_paused=True)
    assert "paused already" in messages(answer(admin_client, "pause", account))
    assert not Event.objects.exists()


def test_neither_pause_nor_switch_is_a_box_of_the_settings(admin_client: Client) -> None:
    account = factories.account()
    text = admin_client.get(page("change", account.pk)).content.decode()
    assert 'name="active"' not in text
    assert 'name="entries_paused"' not in text
    admin_client.post(page("change", account.pk), {**SETTINGS, "entries_paused": "on"})
    assert (reread(account).active, account.entries_paused) == (True, False)


def test_changed_settings_are_an_event_that_tells_from_what_to_what(admin_client: Client) -> None:
    account = factories.account()
    admin_client.post(page("change", account.pk), {**SETTINGS, "safety_stop_percent": "1.5"})
    assert reread(account).safety_stop_percent == Decimal("1.5")
    assert Event.objects.get(kind=EventKind.ACCOUNT_CHANGED).data == {
        "account": "main", "by": "admin", "reason": "too much", "safety_stop_percent": "2 to 1.5",
    }  # fmt: skip


def test_settings_are_not_changed_without_a_reason(admin_client: Client) -> None:
    account = factories.account()
    admin_client.post(page("change", account.pk), {**SETTINGS, "risk_percent": "5", "reason": ""})
    assert reread(account).risk_percent == 1
    assert not Event.objects.exists()


def test_saved_settings_leave_a_pause_alone_that_came_meanwhile(admin_client: Client) -> None:
    account = factories.account()
    Account.objects.update(entries_paused=True)
    admin_client.post(page("change", account.pk), {**SETTINGS, "capital": "500"})
    assert (reread(account).capital, account.entries_paused) == (500, True)


def test_a_new_account_is_an_event_and_is_watched(admin_client: Client) -> None:
    admin_client.post(page("add"), {**SETTINGS, "name": "second"})
    assert Account.objects.get(name="second").active
    assert Event.objects.get(kind=EventKind.ACCOUNT_ADDED).data["reason"] == "too much"


def test_switching_off_shows_what_would_be_without_protection(admin_client: Client) -> None:
    factories.core_position("BTCUSDT")
    factories.guard("ETHUSDT")
    factories.core_position("SOLUSDT", state=PositionState.ARMED)
    text = admin_client.get(question("switch_off", factories.account())).content.decode()
    assert "BTCUSDT Long, active" in text
    assert "ETHUSDT Long, guarding" in text
    assert "SOLUSDT" not in text


@pytest.mark.parametrize("state", sorted(MANAGED_STATES))
def test_an_account_in_which_core_has_something_stays_on(admin_client: Client, state: PositionState) -> None:
    position = factories.core_position(state=state)
    account = factories.account()
    told = messages(answer(admin_client, "switch_off", account, names="main"))
    assert f"BTCUSDT Long is {state} (position {position.pk}); close or disarm first" in told
    assert reread(account).active
    assert not Event.objects.exists()


@pytest.mark.parametrize("typed", ["", "yes", "second"])
def test_with_something_open_a_reason_is_not_enough_to_switch_off(admin_client: Client, typed: str) -> None:
    factories.guard()
    account = factories.account()
    answer(admin_client, "switch_off", account, names=typed)
    assert reread(account).active
    assert not Event.objects.exists()


def test_with_something_open_the_name_is_typed_to_switch_off(admin_client: Client) -> None:
    factories.guard()
    account = factories.account()
    answer(admin_client, "switch_off", account, names="main")
    assert not reread(account).active
    event = Event.objects.get(kind=EventKind.ACCOUNT_SWITCHED_OFF)
    assert (event.data["account"], event.data["by"], event.data["reason"]) == ("main", "admin", "news")


def test_with_nothing_open_a_reason_is_enough_and_it_can_be_switched_on_again(admin_client: Client) -> None:
    account = factories.account()
    answer(admin_client, "switch_off", account)
    assert not reread(account).active
    answer(admin_client, "switch_on", account)
    assert reread(account).active
    assert Event.objects.filter(kind=EventKind.ACCOUNT_SWITCHED_ON).count() == 1


@pytest.mark.parametrize("variable", ["BINANCE_API_KEY", "ITS_OWN_NAME_FOR_IT"])
def test_an_account_is_not_switched_on_beside_another_one_with_its_key(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("BINANCE_API_KEY", "ITS_OWN_NAME_FOR_IT"):
        monkeypatch.setenv(name, "the same key")
    account = factories.account(active=False)
    factories.account("second", api_key_env=variable)
    assert "second is on with the same key" in messages(answer(admin_client, "switch_on", account))
    assert not reread(account).active
    assert not Event.objects.exists()
    Account.objects.filter(name="second").update(active=False)
    answer(admin_client, "switch_on", account)
    assert reread(account).active


@pytest.mark.parametrize("verb", ["panic", "pause", "resume", "switch_off", "switch_on"])
def test_a_reader_can_do_nothing_to_an_account(client: Client, verb: str) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(reader)
    account = factories.account()
    assert client.get(page("change", account.pk)).status_code == 200
    assert answer(client, verb, account).status_code == 403
    assert not Event.objects.exists()


def test_an_account_is_never_deleted_nor_renamed_and_shows_no_secret(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINANCE_API_SECRET", "very-secret-value")
    account = factories.account()
    text = admin_client.get(page("change", account.pk)).content.decode()
    assert "very-secret-value" not in text
    assert 'name="name"' not in text
    assert admin_client.post(page("delete", account.pk), {"post": "yes"}).status_code == 403


def test_numbers_of_an_account_are_shown_as_people_write_them(admin_client: Client) -> None:
    account = factories.account(capital=Decimal("1000.50"))
    listed = admin_client.get(page("changelist")).content.decode()
    form = admin_client.get(page("change", account.pk)).content.decode()
    assert ">1000.5</td>" in listed
    assert ">2</td>" in listed
    for name, value in {"capital": "1000.5", "risk_percent": "1", "safety_stop_percent": "2"}.items():
        assert f'name="{name}" value="{value}"' in form


@pytest.mark.parametrize("opened", [factories.core_position, factories.guard])
def test_keys_are_not_changed_while_something_is_open(
    admin_client: Client, opened: Callable[[str], object]
) -> None:
    """What is open is on the account that the present keys lead to."""
    account = factories.account()
    opened("BTCUSDT")
    other = {**SETTINGS, "api_key_env": "OTHER_KEY"}
    answered = admin_client.post(page("change", account.pk), other)
    assert "Close this first" in answered.content.decode()
    assert "BTCUSDT Long" in answered.content.decode()
    assert reread(account).api_key_env == "BINANCE_API_KEY"
    admin_client.post(page("change", account.pk), {**SETTINGS, "capital": "500"})
    assert reread(account).capital == 500
