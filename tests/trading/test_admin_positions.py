"""Positions in the admin: what can be done with them, and that nothing else can."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.trading.support import trade_on
from trading import operations
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Event, OrderIntent, Position
from trading.models.intent import Owner, Purpose

pytestmark = pytest.mark.django_db
asks_the_exchange = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def static_files(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path)


@pytest.fixture
def exchange(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> SimulatorProcess:
    trade_on(simulator, settings, monkeypatch)
    simulator.control.price("BTCUSDT", "60000")
    return simulator


def page(name: str, *arguments: int) -> str:
    return reverse(f"admin:trading_{name}", args=arguments)


def ask(client: Client, verb: str, *positions: Position, reason: str = "enough") -> Any:
    ids = ",".join(str(position.pk) for position in positions)
    return client.post(f"{page(f'position_{verb}')}?ids={ids}", {"reason": reason}, follow=True)


def messages(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def state_of(position: Position) -> str:
    position.refresh_from_db()
    return position.state


def test_disarm_takes_back_and_records_who_and_why(admin_client: Client) -> None:
    position = factories.core_position(state=PositionState.ARMED)
    assert "is disarmed" in messages(ask(admin_client, "disarm", position))
    assert state_of(position) == PositionState.CANCELLED
    event = Event.objects.get(kind=EventKind.POSITION_DISARMED)
    assert event.data["reason"] == "enough"
    assert event.data["by"] == "admin"
    assert LogEntry.objects.get().object_id == str(position.pk)


def test_close_commits_an_exit_of_the_operator_and_queues_it(admin_client: Client) -> None:
    position = factories.core_position()
    assert "the exit is under way" in messages(ask(admin_client, "close", position))
    assert state_of(position) == PositionState.EXITING
    intent = OrderIntent.objects.get()
    assert (intent.owner, intent.purpose, intent.reason) == (Owner.OPERATOR, Purpose.EXIT, "enough")
    event = Event.objects.get(kind=EventKind.POSITION_EXIT_REQUESTED)
    assert (event.data["reason"], event.data["by"]) == ("enough", "admin")


def test_close_is_asked_before_it_is_done(admin_client: Client) -> None:
    position = factories.core_position()
    answer = admin_client.get(f"{page('position_close')}?ids={position.pk}")
    assert "closed at market" in answer.content.decode()
    assert state_of(position) == PositionState.ACTIVE


def test_close_without_a_reason_does_nothing(admin_client: Client) -> None:
    position = factories.core_position()
    ask(admin_client, "close", position, reason=" ")
    assert state_of(position) == PositionState.ACTIVE


@asks_the_exchange
def test_close_when_the_broker_is_away_is_executed_by_the_web_process(
    admin_client: Client, exchange: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.control.trade("BUY", "0.01", symbol="BTCUSDT")
    position = factories.core_position()
    monkeypatch.setattr("trading.operations.execute_intent.apply_async", _no_broker)
    assert "executed by the web process" in messages(ask(admin_client, "close", position))
    assert state_of(position) == PositionState.CLOSED
    assert exchange.control.ledger()["violations"] == []


def _no_broker(*_: Any, **__: Any) -> None:
    raise ConnectionRefusedError("no broker")


def test_what_cannot_be_closed_is_told_and_the_rest_is_closed(admin_client: Client) -> None:
    armed = factories.core_position("ETHUSDT", state=PositionState.ARMED)
    active = factories.core_position("BTCUSDT")
    told = messages(ask(admin_client, "close", armed, active))
    assert "not active" in told
    assert (state_of(armed), state_of(active)) == (PositionState.ARMED, PositionState.EXITING)


def test_the_list_actions_lead_to_the_question(admin_client: Client) -> None:
    position = factories.core_position()
    answer: Any = admin_client.post(
        page("position_changelist"), {"action": "close_selected", "_selected_action": position.pk}
    )
    assert answer.url == f"{page('position_close')}?ids={position.pk}"


def test_a_reader_sees_positions_and_cannot_touch_them(client: Client) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_position"))
    client.force_login(reader)
    position = factories.core_position()
    detail = client.get(page("position_change", position.pk))
    assert detail.status_code == 200
    assert "Close now" not in detail.content.decode()
    assert ask(client, "close", position).status_code == 403
    assert state_of(position) == PositionState.ACTIVE


def test_a_position_can_be_neither_edited_nor_deleted(admin_client: Client) -> None:
    position = factories.core_position()
    edited = admin_client.post(page("position_change", position.pk), {"quantity": "5"})
    deleted = admin_client.post(page("position_delete", position.pk), {"post": "yes"})
    admin_client.post(
        page("position_changelist"),
        {"action": "delete_selected", "_selected_action": position.pk, "post": "yes"},
    )
    assert (edited.status_code, deleted.status_code) == (403, 403)
    position.refresh_from_db()
    assert str(position.quantity) == "0.010000000000"


@asks_the_exchange
def test_the_detail_page_tells_orders_fills_and_events(
    admin_client: Client, exchange: SimulatorProcess
) -> None:
    exchange.control.trade("BUY", "0.01", symbol="BTCUSDT")
    position = factories.core_position()
    ask(admin_client, "close", position)
    intent = OrderIntent.objects.get()
    operations.execute_here(intent)
    text = admin_client.get(page("position_change", position.pk)).content.decode()
    attempt = intent.attempts.get()
    for part in ("position.exit_requested", "position.closed", attempt.client_order_id, "0.00999 @ 60000"):
        assert part in text
    assert "Close now" not in text


def test_the_list_asks_the_database_the_same_however_many_there_are(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        factories.core_position(f"C{number}USDT")
    with django_assert_max_num_queries(9):
        assert admin_client.get(page("position_changelist")).status_code == 200


def test_panic_closes_everything_of_an_account_after_a_question(admin_client: Client) -> None:
    active = factories.core_position("BTCUSDT")
    armed = factories.core_position("ETHUSDT", state=PositionState.ARMED)
    account = factories.account()
    ask_page = f"{page('account_panic')}?ids={account.pk}"
    assert "paused" in admin_client.get(ask_page).content.decode()
    admin_client.post(ask_page, {"reason": "news"})
    account.refresh_from_db()
    assert account.entries_paused
    assert (state_of(active), state_of(armed)) == (PositionState.EXITING, PositionState.CANCELLED)
    assert Event.objects.get(kind=EventKind.ACCOUNT_PAUSED).data["by"] == "admin"


def test_a_pause_set_on_the_account_page_is_an_event_with_its_author(admin_client: Client) -> None:
    account = factories.account()
    data = {
        "active": "on", "entries_paused": "on", "capital": "1000", "risk_percent": "1",
        "safety_stop_percent": "2", "api_key_env": "BINANCE_API_KEY", "api_secret_env": "BINANCE_API_SECRET",
    }  # fmt: skip
    admin_client.post(page("account_change", account.pk), data)
    account.refresh_from_db()
    assert account.entries_paused
    assert Event.objects.get(kind=EventKind.ACCOUNT_PAUSED).data["by"] == "admin"
    data.pop("entries_paused")
    admin_client.post(page("account_change", account.pk), data)
    assert Event.objects.filter(kind=EventKind.ACCOUNT_RESUMED).count() == 1


def test_an_account_is_never_deleted_nor_renamed_and_shows_no_secret(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINANCE_API_SECRET", "very-secret-value")
    account = factories.account()
    text = admin_client.get(page("account_change", account.pk)).content.decode()
    assert "very-secret-value" not in text
    assert 'name="name"' not in text
    assert admin_client.post(page("account_delete", account.pk), {"post": "yes"}).status_code == 403


def test_numbers_of_an_account_are_shown_as_people_write_them(admin_client: Client) -> None:
    account = factories.account(capital=Decimal("1000.50"))
    listed = admin_client.get(page("account_changelist")).content.decode()
    form = admin_client.get(page("account_change", account.pk)).content.decode()
    assert '<td class="field-default_capital">1000.5</td>' in listed
    assert '<td class="field-safety_stop">2</td>' in listed
    for name, value in {"capital": "1000.5", "risk_percent": "1", "safety_stop_percent": "2"}.items():
        assert f'name="{name}" value="{value}"' in form
