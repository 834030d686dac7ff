"""The desk in a real browser: it keeps itself up to date, and is loud when it must be."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from safetynet.models import Exemption, PollState
from tests import factories
from tests.browser.chromium import PHONE
from tests.browser.conftest import Site
from tests.browser.looking import assert_accessible, assert_fits, shoot
from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Heartbeat, Position

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def now() -> datetime:
    return datetime.now(UTC)


def nobody_works() -> None:
    long_ago = now() - timedelta(minutes=10)
    Heartbeat.objects.update(at=long_ago)
    PollState.objects.update(last_success_at=long_ago)


def open_position() -> Position:
    """With two stops in the log, and an exempt guard and one without protection beside it."""
    entered = now() - timedelta(minutes=5)
    position = factories.core_position(opened_at=entered, armed_at=entered, stop_price="59000")
    journal.append(EventKind.POSITION_ACTIVATED, position, at=entered, entry="60000", stop="58800")
    journal.append(
        EventKind.POSITION_STOP_RAISED,
        position,
        at=entered + timedelta(minutes=2),
        stop="59000",
        extreme="60200",
    )
    exempt = factories.guard("ETHUSDT", entry="3000", last_price=Decimal(3010), last_seen_at=now())
    Exemption.objects.create(slot=exempt.slot, reason="long-term bag", until=now() + timedelta(hours=1))
    return position


def test_the_live_page_follows_without_being_loaded_again(site: Site, page: Page) -> None:
    position = open_position()
    factories.everything_works(prices={"BTCUSDT": "60100"})
    # A clock of its own, so that a silence of seconds takes none.
    page.clock.install()
    page.goto("/")
    page.evaluate("window.sameLoad = true")
    row = page.locator(f"#row-core-{position.pk}")
    expect(row).to_contain_text("59000")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Everything is protected")

    Position.objects.update(stop_price="59321")
    expect(row).to_contain_text("59321")

    nobody_works()
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 position WITHOUT protection")
    expect(page).to_have_title("⚠ 1 position WITHOUT protection · Robson")
    expect(page.locator("#icon")).to_have_attribute("href", "/static/desk/loud.svg")
    expect(page.locator("#announcer")).to_have_text("Without protection: BTCUSDT long (main)")
    expect(row).to_contain_text("NOBODY")

    factories.everything_works(prices={"BTCUSDT": "60100"})
    expect(page.get_by_role("heading", level=1)).to_contain_text("Everything is protected")
    expect(page.locator("#announcer")).to_have_text("Every position is protected again.")

    page.clock.fast_forward(11_000)
    outdated = page.get_by_text("This page is out of date since")
    expect(outdated).to_be_visible()
    expect(page).to_have_title("⚠ OUT OF DATE · Robson")
    # It hears from the web process again within seconds.
    expect(outdated).to_be_hidden()

    assert page.evaluate("window.sameLoad")
    Session.objects.all().delete()
    expect(page).to_have_url(f"{site.url}/admin/login/?next=/", timeout=20_000)


def test_the_page_of_a_position_draws_its_chart_and_says_when_it_is_over(page: Page) -> None:
    position = open_position()
    factories.everything_works(prices={"BTCUSDT": "60100"})
    page.goto(f"/positions/{position.pk}/")
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("#chart-note")).to_contain_text("Candles of")
    expect(page.locator("#stops")).to_contain_text("followed the price")

    Position.objects.update(stop_price="59321")
    expect(page.locator("#facts")).to_contain_text("59321")
    expect(page.locator("#stops")).to_contain_text("59321")

    Position.objects.update(
        state=PositionState.CLOSED, closed_at=now(), exit_price="59300", exit_reason="trailing stop"
    )
    expect(page.locator("#facts")).to_contain_text("It is over: closed, trailing stop.")


def test_each_page_fits_a_phone_and_is_for_everybody_in_light_and_in_dark(page: Page) -> None:
    position = open_position()
    factories.core_position("SOLUSDT", state=PositionState.ARMED)
    factories.everything_works(prices={"BTCUSDT": "60100"})
    nobody_works()
    for path in ("/", f"/positions/{position.pk}/", f"/positions/{position.pk}/story/"):
        page.goto(path)
        if path == "/":
            shoot(page, "unprotected")
        if path.endswith(f"{position.pk}/"):
            expect(page.locator("#chart canvas")).to_be_visible()
        assert_accessible(page)
        page.set_viewport_size({"width": 360, "height": PHONE["height"]})
        assert_fits(page)
        page.set_viewport_size({"width": 1280, "height": 900})
