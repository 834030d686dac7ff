"""A real browser: Debian's Chromium, driven by Playwright. It reaches this machine and nothing else."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Without these it asks its maker's servers for news at every start.
SWITCHES = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Faults:
    """What a page must not do: ask other machines, or complain in its console."""

    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.found.append(f"error in a script: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(f"console, {message.location.get('url', '')}: {message.text}")

    def keep_here(self, route: Route) -> None:
        """Let requests to this machine through, and no other."""
        if urlsplit(route.request.url).hostname in {"127.0.0.1", None}:
            route.fallback()
        else:
            self.found.append(f"asks another machine: {route.request.url}")
            route.abort()


def executable() -> str:
    """The browser's program. Without one the test is skipped, except in CI, where that is a failure."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        advice = "no Chromium here; on Debian: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)
    return found


@contextmanager
def context(faults: Faults, base_url: str) -> Iterator[BrowserContext]:
    """One private window, as wide as a desktop's."""
    # Chromium's sandbox refuses to run as root.
    switches = [*SWITCHES, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=switches)
        window = browser.new_context(base_url=base_url, viewport={"width": 1280, "height": 900})
        window.set_default_timeout(10_000)
        window.route("**/*", faults.keep_here)
        yield window
        browser.close()
