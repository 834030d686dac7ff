"""Alarms in the admin: to be read, and nothing else."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from robson.alarms.book import Book
from robson.alarms.draft import Draft
from robson.alarms.kinds import Kind, Severity
from robson.alarms.models import Alarm

pytestmark = pytest.mark.django_db


def test_they_are_listed_and_cannot_be_changed(admin_client: Client) -> None:
    now = timezone.now()
    draft = Draft(
        Kind.EXIT_FAILING, "exit:9", Severity.CRITICAL, "BTCUSDT Long", "It fails.", now, lasting=True
    )
    Book((), now).write([], [draft], now)
    assert "It fails." in admin_client.get(reverse("admin:robson_alarm_changelist")).content.decode()
    address = reverse("admin:robson_alarm_change", args=[Alarm.objects.get().pk])
    assert "Robson keeps trying." in admin_client.get(address).content.decode()
    assert admin_client.post(address, {"text": "nothing"}).status_code == 403
