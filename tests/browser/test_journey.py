"""The owner's whole way in a real browser, beside Robson's processes: in, armed, watched, out, and told."""

import re
from decimal import Decimal
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from robson.local import commands
from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.browser.conftest import PASSWORD, USER, Site
from tests.browser.looking import shoot
from trading.domain.rounding import to_wire
from trading.models import Position

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SYMBOL = "BTCUSDT"
START = Decimal(60_000)
A_BLINK_MS = 100


class Market:
    """The simulated exchange's price of one symbol, which moves while somebody looks at a page."""

    def __init__(self, simulator: SimulatorProcess) -> None:
        self._control = simulator.control
        self.set(START)

    def set(self, price: Decimal) -> None:
        self.price = price
        self._control.price(SYMBOL, str(price))

    def rise_until(self, seen: Locator, page: Page) -> None:
        """A trade every tenth of a second, each a little higher."""
        for step in count(1):
            if seen.is_visible():
                return
            assert step < 600, f"not seen on {page.url}: {seen}"
            self.set(self.price + 5)
            page.wait_for_timeout(A_BLINK_MS)

    def stand_until(self, seen: Locator, page: Page) -> None:
        for step in count(1):
            if seen.is_visible():
                return
            assert step < 300, f"not seen on {page.url}: {seen} in {page.locator('main').inner_text()}"
            self.set(self.price)
            page.wait_for_timeout(A_BLINK_MS)


# Half a minute of work; more where others use the machine.
@pytest.mark.timeout(300)
def test_armed_entered_trailed_closed_and_told(
    site: Site, visitor: Page, simulator: SimulatorProcess
) -> None:
    page, market = visitor, Market(simulator)
    factories.account()
    for service in (
        commands.consumer(),
        commands.worker("exits", concurrency=1),
        commands.worker("safetynet", concurrency=1),
    ):
        site.processes.start(service)
    log_in(page)
    expect(page.locator("#empty")).to_contain_text("Nothing is armed")
    shoot(page, "journey-1-nothing-yet")
    arm(page)
    page.goto("/")
    page.evaluate("window.notReloaded = true")
    row = page.locator("#rows").get_by_role("row", name=re.compile(f"{SYMBOL} long"))
    expect(row).to_contain_text("armed")
    market.rise_until(row.filter(has_text="active"), page)
    watch_the_stop_move(page, row, market)
    shoot(page, "journey-3-the-stop-has-moved")
    assert page.evaluate("window.notReloaded"), "the page was loaded anew"
    row.get_by_role("link", name=f"{SYMBOL} long").click()
    expect(page.locator("#chart canvas")).to_be_visible()
    shoot(page, "journey-4-its-chart")
    close(page, market)
    read_what_happened(page)
    ledger = simulator.control.ledger()
    assert ledger["violations"] == []
    sold = [one for one in simulator.control.orders() if one["side"] == "SELL"]
    assert len(sold) == 1


def log_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Positions")).to_be_visible()


def arm(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Arm a symbol").click()
    page.get_by_role("combobox", name="Symbol").fill(SYMBOL)
    page.get_by_label("Candle").select_option("1s")
    page.get_by_label("Fast average").fill("2")
    page.get_by_label("Slow average").fill("4")
    expect(page.locator("#prospect")).to_contain_text("fees included")
    shoot(page, "journey-2-arm")
    page.get_by_role("button", name="Arm", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{SYMBOL} Long #")


def watch_the_stop_move(page: Page, row: Locator, market: Market) -> None:
    """The stop follows the price on the page as it stands, and does not go back with it."""
    peak = market.price + 1_000
    market.set(peak)
    cell = row.get_by_role("cell").nth(2)
    distance = Position.objects.get().distance
    assert distance is not None
    stop = to_wire(peak - distance)
    market.stand_until(cell.filter(has_text=stop), page)
    market.set(peak - 300)
    market.stand_until(row.filter(has_text=str(peak - 300)), page)
    expect(cell).to_contain_text(stop)


def close(page: Page, market: Market) -> None:
    page.get_by_role("link", name="Close or disarm it").click()
    page.get_by_role("link", name="Close now").click()
    page.get_by_label("Reason").fill("enough for today")
    shoot(page, "journey-5-close")
    page.get_by_role("button", name="Close at market").click()
    expect(page.get_by_role("main")).to_contain_text("exit is under way")
    page.goto("/")
    market.stand_until(page.locator("#ended").get_by_role("link", name=f"{SYMBOL} long"), page)
    expect(page.locator("#empty")).to_contain_text("Nothing is armed")


def read_what_happened(page: Page) -> None:
    page.locator("#ended").get_by_role("link", name=f"{SYMBOL} long").click()
    page.get_by_role("link", name="What happened").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Safety Net")
    for said in ("armed", "crossover", "enough for today", USER, "sent", "answered"):
        expect(main).to_contain_text(re.compile(said, re.IGNORECASE))
    shoot(page, "journey-6-what-happened")
