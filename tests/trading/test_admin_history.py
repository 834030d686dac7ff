"""History in the admin: read with a constant number of queries, and never changed."""

from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from safetynet.models import GuardedPosition, PollState
from tests import factories
from trading.admin.readonly import MOST_COUNTED, CappedPaginator
from trading.domain.events import EventKind
from trading.models import Event, Fill, OrderAttempt, OrderIntent, Position

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def static_files(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path)


def history(rows: int) -> None:
    """That many orders, each with an attempt, a fill and an event."""
    for number in range(rows):
        slot = factories.slot(f"C{number}USDT")
        intent = factories.intent(slot)
        attempt = OrderAttempt.objects.create(
            intent=intent, number=1, client_order_id=f"c{number}", timestamp_ms=0
        )
        Fill.objects.create(
            attempt=attempt, slot=slot, trade_id=number, price=1, quantity=1, commission=0,
            commission_asset="USDT", traded_at=factories.NOON,
        )  # fmt: skip
        Event.objects.create(
            kind=EventKind.INTENT_CLAIMED, at=factories.NOON, slot=slot, intent=intent, source="test"
        )


@pytest.mark.parametrize("model", ["event", "orderintent", "fill"])
def test_a_list_asks_the_same_however_many_rows_it_shows(
    admin_client: Client, model: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    history(40)
    with django_assert_max_num_queries(9):
        answer = admin_client.get(reverse(f"admin:trading_{model}_changelist"))
    assert answer.status_code == 200
    assert answer.content.count(b'name="_selected_action"') == 0
    assert b"C39USDT Long" in answer.content


@pytest.mark.parametrize("model", [Event, OrderIntent, Fill, Position, GuardedPosition, PollState])
def test_history_can_be_neither_added_to_nor_changed_nor_deleted(
    model: type, rf: RequestFactory, admin_user: User
) -> None:
    request = rf.get("/")
    request.user = admin_user
    page = admin.site._registry[model]
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
    assert "delete_selected" not in page.get_actions(request)
    assert model is Position or not page.has_add_permission(request)


def test_an_order_shows_its_attempts_and_offers_no_way_to_change_them(admin_client: Client) -> None:
    history(1)
    intent = OrderIntent.objects.get()
    text = admin_client.get(reverse("admin:trading_orderintent_change", args=[intent.pk])).content.decode()
    assert "c0" in text
    assert 'name="_save"' not in text


def test_events_are_filtered_by_what_they_are_about(admin_client: Client) -> None:
    history(2)
    Event.objects.create(kind=EventKind.ACCOUNT_PAUSED, source="test", data={"account": "main"})
    text = admin_client.get(f"{reverse('admin:trading_event_changelist')}?about=account").content.decode()
    assert "1 event" in text
    assert "C0USDT" not in text


def test_events_of_one_position_are_found_by_its_number(admin_client: Client) -> None:
    position = factories.core_position()
    Event.objects.create(kind=EventKind.POSITION_ARMED, slot=position.slot, position=position, source="test")
    Event.objects.create(kind=EventKind.ACCOUNT_PAUSED, source="test")
    text = admin_client.get(
        f"{reverse('admin:trading_event_changelist')}?position__id__exact={position.pk}"
    ).content.decode()
    assert "1 event" in text


def test_a_long_log_is_not_counted_to_its_end() -> None:
    events = (Event(kind=EventKind.ACCOUNT_PAUSED, source="test") for _ in range(MOST_COUNTED + 5))
    Event.objects.bulk_create(events, batch_size=2000)
    assert CappedPaginator(Event.objects.all(), 50).count == MOST_COUNTED
