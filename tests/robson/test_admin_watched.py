"""What the lists say about right now: last price, room, profit so far, and who protects."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from safetynet.models import Exemption
from tests import factories
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side

pytestmark = pytest.mark.django_db


def listed(client: Client, page: str = "trading_position") -> str:
    return client.get(reverse(f"admin:{page}_changelist")).content.decode()


def shown(client: Client, page: str, pk: int) -> str:
    return client.get(reverse(f"admin:{page}_change", args=[pk])).content.decode()


def test_a_position_shows_price_room_profit_and_protector(admin_client: Client) -> None:
    factories.everything_works(prices={"BTCUSDT": "60100"})
    position = factories.core_position(entry="60000", distance="1200", quantity="0.01")
    for text in (listed(admin_client), shown(admin_client, "trading_position", position.pk)):
        for part in ("60100", "1300 (2.16 %)", "+1.00", "Core, trailing stop"):
            assert part in text


def test_a_loss_has_a_minus_and_room_that_is_gone_is_loud(admin_client: Client) -> None:
    factories.everything_works(prices={"BTCUSDT": "58700"})
    factories.core_position(entry="60000", distance="1200", quantity="0.01")
    text = listed(admin_client)
    assert '<span class="loss">-13.00</span>' in text
    assert '<span class="alarming">-100 (-0.17 %)</span>' in text


def test_a_position_without_protection_is_loud(admin_client: Client) -> None:
    factories.core_position()
    assert '<span class="alarming">NOBODY: ' in listed(admin_client)


def test_a_price_that_is_old_is_loud(admin_client: Client) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    factories.everything_works(prices={"BTCUSDT": "60100"}, at=long_ago)
    factories.core_position()
    assert 'class="alarming">300 s' in listed(admin_client)


def test_what_is_over_has_no_price_and_no_protector(admin_client: Client) -> None:
    factories.everything_works(prices={"BTCUSDT": "60100"})
    factories.core_position(state=PositionState.CLOSED, closed_at=factories.NOON)
    text = listed(admin_client)
    assert "60100" not in text
    assert "trailing stop" not in text


def test_a_guard_shows_its_exemption_with_its_end_and_reason(admin_client: Client) -> None:
    factories.everything_works()
    guard = factories.guard("ETHUSDT", Side.SHORT, entry="3000", last_price="3010")
    until = datetime.now(UTC) + timedelta(hours=4)
    Exemption.objects.create(slot=guard.slot, reason="earnings", until=until)
    for text in (
        listed(admin_client, "safetynet_guardedposition"),
        shown(admin_client, "safetynet_guardedposition", guard.pk),
    ):
        assert f"exempt until {until:%Y-%m-%d %H:%M} UTC" in text
        assert "earnings" in text


def test_a_guard_leads_to_an_exemption_of_its_slot(admin_client: Client) -> None:
    guard = factories.guard("ETHUSDT", Side.SHORT)
    page = reverse("admin:safetynet_exemption_add")
    assert f"{page}?account=main&amp;symbol=ETHUSDT&amp;side=short" in shown(
        admin_client, "safetynet_guardedposition", guard.pk
    )
    form = admin_client.get(f"{page}?account=main&symbol=ETHUSDT&side=short").content.decode()
    assert 'value="ETHUSDT"' in form
    assert 'value="short" selected' in form
