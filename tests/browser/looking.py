"""What people see: pictures of a page, and what axe-core finds that some of them cannot see or reach."""

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from robson.local.paths import PROJECT_DIR
from tests.browser.chromium import DESKTOP, PHONE

SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES = ("light", "dark")
_FITS_SOON = """async () => {
    const root = document.documentElement, end = performance.now() + 5000;
    const fits = () => root.scrollWidth <= root.clientWidth;
    while (!fits() && performance.now() < end) await new Promise(requestAnimationFrame);
    return fits();
}"""


def folder() -> Path:
    """Where pictures go: ROBSON_SCREENSHOTS, or `.robson/screenshots`."""
    chosen = Path(os.environ.get("ROBSON_SCREENSHOTS") or PROJECT_DIR / ".robson" / "screenshots")
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


def shoot(page: Page, name: str) -> None:
    """Pictures of the whole page: `<name>-desktop-light.png` and its three sisters."""
    for size, viewport in SIZES.items():
        for scheme in SCHEMES:
            page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(
                path=folder() / f"{name}-{size}-{scheme}.png", full_page=True, animations="disabled"
            )
    page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
    page.emulate_media(color_scheme="light")


def assert_accessible(page: Page) -> None:
    """No rule of axe-core is broken, in light and in dark."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page).response["violations"]
        told = [
            f"{one['id']} ({one['impact']}): {one['help']}\n    "
            + "\n    ".join(node["html"][:160] + "\n      " + node["failureSummary"] for node in one["nodes"])
            for one in found
        ]
        assert not told, f"{page.url} in {scheme}:\n" + "\n".join(told)
    page.emulate_media(color_scheme="light")


def assert_fits(page: Page) -> None:
    """Nobody has to scroll it sideways, once what draws itself anew for another width has done so."""
    assert page.evaluate(_FITS_SOON), f"{page.url} is wider than the screen"
