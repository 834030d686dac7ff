"""The Safety Net in the admin, and the admin's front page."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from safetynet.models import Exemption
from tests import factories
from trading.domain.events import EventKind
from trading.models import Event

pytestmark = pytest.mark.django_db

FORM = {"account": "main", "symbol": "ethusdt", "side": "long", "hours": "4", "reason": "staking"}


def exempt(client: Client, **changes: str) -> object:
    factories.account()
    return client.post(reverse("admin:safetynet_exemption_add"), {**FORM, **changes})


def test_an_exemption_is_made_with_reason_author_and_end(admin_client: Client) -> None:
    exempt(admin_client)
    made = Exemption.objects.get()
    assert (made.slot.symbol, made.reason, made.created_by) == ("ETHUSDT", "staking", "admin")
    assert 3.9 * 3600 < (made.until - timezone.now()).total_seconds() <= 4 * 3600
    assert Event.objects.get(kind=EventKind.GUARD_EXEMPTED).data["by"] == "admin"


def test_an_account_can_be_exempted_before_it_is_switched_on(admin_client: Client) -> None:
    factories.account("later", active=False)
    exempt(admin_client, account="later")
    assert Exemption.objects.get().slot.account.name == "later"


@pytest.mark.parametrize("changes", [{"reason": " "}, {"symbol": "ETH/USDT"}, {"hours": "9999"}])
def test_an_exemption_that_does_not_fit_is_not_made(admin_client: Client, changes: dict[str, str]) -> None:
    exempt(admin_client, **changes)
    assert not Exemption.objects.exists()


def test_an_exemption_is_ended_from_the_list_and_records_who(admin_client: Client) -> None:
    exempt(admin_client)
    made = Exemption.objects.get()
    for _ in range(2):
        asked: Any = admin_client.post(
            reverse("admin:safetynet_exemption_changelist"),
            {"action": "end_selected", "_selected_action": made.pk},
        )
        admin_client.post(asked.url, {"reason": "back from holiday"})
    made.refresh_from_db()
    assert made.ended_at is not None
    event = Event.objects.get(kind=EventKind.GUARD_EXEMPTION_ENDED)
    assert (event.data["by"], event.data["reason"]) == ("admin", "back from holiday")


def test_an_exemption_is_not_ended_before_the_question_is_answered(admin_client: Client) -> None:
    exempt(admin_client)
    made = Exemption.objects.get()
    page = f"{reverse('admin:safetynet_exemption_end')}?ids={made.pk}"
    assert "protects these again" in admin_client.get(page).content.decode()
    admin_client.post(page, {"reason": " "})
    made.refresh_from_db()
    assert made.ended_at is None


def test_a_reader_can_exempt_nothing(client: Client) -> None:
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_exemption"))
    client.force_login(reader)
    exempt(client)
    assert not Exemption.objects.exists()


def test_a_guard_is_shown_with_its_stop_and_leads_to_its_events(admin_client: Client) -> None:
    guard = factories.guard("ETHUSDT", entry="2000")
    text = admin_client.get(
        reverse("admin:safetynet_guardedposition_change", args=[guard.pk])
    ).content.decode()
    assert "1960" in text
    assert f"guard_id={guard.pk}" in text
    assert 'name="_save"' not in text


def test_guards_are_listed_with_account_and_state(admin_client: Client) -> None:
    factories.guard("ETHUSDT", entry="2000")
    text = admin_client.get(reverse("admin:safetynet_guardedposition_changelist")).content.decode()
    assert "guarding" in text
    assert "1960" in text


def test_the_front_page_shows_only_what_is_used(admin_client: Client) -> None:
    text = admin_client.get(reverse("admin:index")).content.decode()
    for name in ("Positions", "Order intents", "Events", "Guarded positions", "Exemptions", "Schedule"):
        assert name in text
    for name in ("Solar", "Clocked", "Group results"):
        assert name not in text
