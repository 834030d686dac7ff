"""The admin, page by page, as people see it: in light and dark, on desktop and phone, by keyboard."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult
from playwright.sync_api import Page, expect

from safetynet.models import Exemption
from tests import factories
from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import Site
from tests.browser.looking import assert_accessible, assert_fits, shoot
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Event, Fill, OrderAttempt, Position

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def one_of_everything() -> list[str]:
    """Rows for every page, and the pages below /admin/."""
    now = timezone.now()
    factories.everything_works(prices={"BTCUSDT": "60100", "ETHUSDT": "3070"})
    position = factories.core_position()
    factories.core_position("SOLUSDT", state=PositionState.ARMED)
    factories.core_position(
        "ADAUSDT", state=PositionState.CLOSED, entry="0.4", distance="0.01", closed_at=now
    )
    guard = factories.guard("ETHUSDT", Side.SHORT, entry="3000", last_price="3070")
    lost = timezone.now() - timedelta(minutes=9)
    factories.guard("BNBUSDT", entry="600", last_price="590", last_seen_at=lost)
    end = now + timedelta(hours=4)
    Exemption.objects.create(slot=guard.slot, reason="earnings", until=end)
    intent = factories.intent(position.slot, position=position)
    attempt = OrderAttempt.objects.create(intent=intent, number=1, client_order_id="rbs-1", timestamp_ms=0)
    Fill.objects.create(
        attempt=attempt, slot=position.slot, trade_id=1, price=60000, quantity=1, commission=0,
        commission_asset="USDT", traded_at=now,
    )  # fmt: skip
    Event.objects.create(
        kind=EventKind.POSITION_ACTIVATED, slot=position.slot, position=position, intent=intent,
        source="consumer:1", data={"entry": "60000", "stop": "58800"},
    )  # fmt: skip
    every, _ = IntervalSchedule.objects.get_or_create(every=20, period="seconds")
    poll = {"task": "safetynet.poll_all", "interval": every}
    task, _ = PeriodicTask.objects.get_or_create(name="Safety Net: poll", defaults=poll)
    TaskResult.objects.create(task_id="1", task_name="trading.reconcile", status="SUCCESS", result="null")
    account = position.slot.account.pk
    return [
        "", "trading/position/", "trading/position/?state=armed", f"trading/position/{position.pk}/change/",
        f"trading/position/close/?ids={position.pk}", "trading/position/add/", "safetynet/guardedposition/",
        f"safetynet/guardedposition/{guard.pk}/change/", "safetynet/exemption/", "safetynet/exemption/add/",
        "trading/orderintent/", f"trading/orderintent/{intent.pk}/change/", "trading/fill/",
        "trading/event/?about=position", "django_celery_beat/periodictask/",
        f"django_celery_beat/periodictask/interval/?ids={task.pk}", "django_celery_results/taskresult/",
        "safetynet/pollstate/", "trading/account/", f"trading/account/{account}/change/",
        f"trading/account/switch_off/?ids={account}", "auth/user/", "robson/alarm/",
    ]  # fmt: skip


# Twenty seconds of work; more where others use the machine.
@pytest.mark.timeout(400)
def test_every_page_can_be_read_and_reached_by_everybody(page: Page) -> None:
    use_the_menu_by_keyboard(page)
    for path in one_of_everything():
        page.goto(f"/admin/{path}")
        expect(page.get_by_role("main")).to_be_visible()
        assert_accessible(page)
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        assert_fits(page)
        page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
        if path == "trading/position/":
            shoot(page, "admin-positions")
    open_filters_and_actions(page)
    page.context.clear_cookies()
    page.goto("/admin/")
    expect(page.get_by_label("Password")).to_be_visible()
    assert_accessible(page)


def open_filters_and_actions(page: Page) -> None:
    """What is hidden until it is wanted."""
    page.goto("/admin/trading/event/")
    page.get_by_role("button", name="Filters").press("Enter")
    panel = page.get_by_role("dialog", name="Filters")
    expect(panel.get_by_role("heading", name="Filters")).to_be_focused()
    assert_accessible(page)
    panel.get_by_role("button", name="Close the filters").press("Enter")
    expect(panel).to_be_hidden()
    page.goto("/admin/trading/account/")
    page.get_by_label("Select record").first.check()
    expect(page.get_by_label("Select action to run")).to_be_visible()
    assert_accessible(page)


def use_the_menu_by_keyboard(page: Page) -> None:
    """On a phone, where it is hidden at first: a link, the colours, the way out."""
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.goto("/admin/")
    page.get_by_role("button", name="Show the menu").press("Enter")
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Guarded positions")).to_be_visible()
    menu.locator("summary").press("Enter")
    menu.get_by_role("button", name="Dark").press("Enter")
    expect(page.locator("html")).to_have_class("dark")
    expect(menu.get_by_role("button", name="Log out")).to_be_visible()
    menu.get_by_role("button", name="System").press("Enter")
    expect(page.locator("html")).not_to_have_class("dark")
    page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})


def preview_without_scripts(site: Site, page: Page) -> None:
    """The form is there, and its button Preview does what the scripts do otherwise."""
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(base_url=site.url, java_script_enabled=False)
    plain.add_cookies([{"name": "sessionid", "value": site.session(), "url": site.url}])
    form = plain.new_page()
    form.goto("/admin/trading/position/add/")
    form.get_by_label("Symbol").fill("btcusdt")
    form.get_by_role("button", name="Preview").click()
    expect(form.locator("#prospect")).to_contain_text("10.00 USDT, fees included")
    assert not Position.objects.exists()
    plain.close()


def test_a_symbol_is_found_looked_at_and_armed_by_keyboard_alone(site: Site, page: Page) -> None:
    factories.account()
    preview_without_scripts(site, page)
    page.goto("/admin/trading/position/add/")
    prospect = page.locator("#prospect")
    symbol = page.get_by_role("combobox", name="Symbol")
    symbol.press_sequentially("bt")
    symbols = page.get_by_role("listbox", name="Symbols")
    expect(symbols.get_by_role("option").first).to_have_text("BTCUSDT  (BTC in USDT)")
    symbol.press("ArrowDown")
    expect(symbols.get_by_role("option", selected=True)).to_contain_text("BTCUSDT")
    assert_accessible(page)
    symbol.press("Enter")
    expect(symbol).to_have_value("BTCUSDT")
    expect(symbols).to_be_hidden()
    expect(prospect).to_contain_text("10.00 USDT, fees included")
    page.get_by_label("Capital").fill("2000")
    expect(prospect).to_contain_text("19.99 USDT, fees included")
    assert_accessible(page)
    shoot(page, "admin-arm")
    page.get_by_label("Capital").fill("1")
    expect(prospect).to_contain_text("too small")
    assert not Position.objects.exists()
    page.get_by_label("Capital").fill("500")
    page.get_by_label("Capital").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("BTCUSDT Long #"))
    assert Position.objects.get().capital == 500
