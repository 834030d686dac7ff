"""Positions in the admin: what can be done with them, and that nothing else can."""

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


def test_the_list_of_armed_symbols_shows_terms_and_nothing_else_that_is_open(admin_client: Client) -> None:
    factories.core_position("SOLUSDT", state=PositionState.ARMED)
    factories.core_position("BTCUSDT")
    text = admin_client.get(f"{page('position_changelist')}?state=armed").content.decode()
    assert "Armed symbols" in text
    assert "SMA 9 over 21" in text
    assert "SOLUSDT" in text
    assert "BTCUSDT" not in text


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [("open", PositionState.ACTIVE), ("ended", PositionState.CLOSED), ("error", PositionState.ERROR)],
)
def test_positions_are_filtered_by_what_they_are_about(
    admin_client: Client, chosen: str, shown: PositionState
) -> None:
    for number, state in enumerate((PositionState.ACTIVE, PositionState.CLOSED, PositionState.ERROR)):
        factories.core_position(f"C{number}USDT", state=state)
    answer = admin_client.get(f"{page('position_changelist')}?state={chosen}")
    assert [position.state for position in answer.context["cl"].result_list] == [shown]
