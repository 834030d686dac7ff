"""The admin as a whole: which exchange, where the menu leads, and that nothing comes from elsewhere."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django.fixtures import Settings
from unfold.admin import ModelAdmin

from robson.management.commands import runlocal
from tests import factories
from trading.exchange.endpoints import VARIABLES

pytestmark = pytest.mark.django_db

SIMULATED = {
    name: "ws://127.0.0.1:9" if "STREAM" in name or "WS" in name else "http://127.0.0.1:9"
    for name in VARIABLES.values()
}


def front(client: Client) -> str:
    return client.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize(
    ("hosts", "live", "shown"),
    [
        (SIMULATED, False, 'environment-info">simulator<'),
        ({}, True, 'environment-live">LIVE<'),
        ({}, False, 'environment-warning">no exchange<'),
    ],
)
def test_every_page_says_which_exchange_it_is_about(
    admin_client: Client, settings: Settings, hosts: dict[str, str], live: bool, shown: str
) -> None:
    settings.BINANCE, settings.ROBSON_LIVE = hosts, live
    text = front(admin_client)
    assert shown in text
    word = shown.partition(">")[2].rstrip("<")
    assert re.search(rf"<title>{word}:", text)


def test_the_menu_leads_to_flower_only_where_it_runs(admin_client: Client, settings: Settings) -> None:
    settings.FLOWER_URL = ""
    assert "Flower" not in front(admin_client)
    settings.FLOWER_URL = "http://127.0.0.1:5577/"
    assert 'href="http://127.0.0.1:5577/"' in front(admin_client)


@pytest.mark.parametrize(("port", "address"), [(5577, "http://127.0.0.1:5577/"), (None, "")])
def test_make_run_tells_the_menu_where_flower_is(
    monkeypatch: pytest.MonkeyPatch, port: int | None, address: str
) -> None:
    monkeypatch.setenv("BINANCE_API_URL", "http://127.0.0.1:9")
    told = runlocal._environment(runlocal.Addresses(web=8000, flower=port, simulator=None))
    assert told["ROBSON_FLOWER_URL"] == address
    assert ":" in told["FLOWER_BASIC_AUTH"]


def test_the_menu_shows_nobody_what_he_may_not_see(client: Client, settings: Settings) -> None:
    settings.FLOWER_URL = "http://127.0.0.1:5577/"
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_event"))
    client.force_login(reader)
    text = front(client)
    assert reverse("admin:trading_event_changelist") in text
    for name in ("trading_position", "trading_account", "auth_user"):
        assert reverse(f"admin:{name}_changelist") not in text
    assert "Flower" not in text


@pytest.mark.parametrize("name", ["index", "trading_position_changelist", "trading_position_add"])
def test_pages_load_nothing_from_other_machines(admin_client: Client, name: str) -> None:
    factories.account()
    text = admin_client.get(reverse(f"admin:{name}")).content.decode()
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"([^\"]+)\"", text)
    assert loaded
    assert [address for address in loaded if not re.match(r"/(?!/)", address)] == []


def test_every_page_has_the_one_theme() -> None:
    others = [model for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)]
    assert others == []


def test_users_are_made_inactive_and_not_deleted(rf: RequestFactory, admin_user: User) -> None:
    request = rf.get("/")
    request.user = admin_user
    assert not admin.site._registry[User].has_delete_permission(request)
    assert admin.site._registry[User].has_change_permission(request)
    assert Group in admin.site._registry


def test_a_user_can_be_added_and_changed(admin_client: Client) -> None:
    form = {"username": "anna", "password1": "a long enough one", "password2": "a long enough one"}
    admin_client.post(reverse("admin:auth_user_add"), {**form, "usable_password": "true"})
    anna = User.objects.get(username="anna")
    assert admin_client.get(reverse("admin:auth_user_change", args=[anna.pk])).status_code == 200
