"""A real browser before the real web process, on the database of the test."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client
from playwright.sync_api import Page

from robson.local import commands
from robson.local.ports import free_port
from tests.browser import chromium
from tests.live import LiveProcesses

USER, PASSWORD = "owner", "a long enough password"


@dataclass(frozen=True)
class Site:
    """The web process, and a superuser who may log in there (USER, PASSWORD)."""

    url: str
    processes: LiveProcesses

    def session(self) -> str:
        """The cookie of a session of the superuser's."""
        client = Client()
        client.force_login(get_user_model().objects.get(username=USER))
        return client.cookies["sessionid"].value


@pytest.fixture
def site(live_process: LiveProcesses) -> Site:
    """`site.processes` starts more processes beside it."""
    chromium.executable()
    get_user_model().objects.create_superuser(username=USER, password=PASSWORD)
    port = free_port(0)
    live_process.start(commands.web(port=port))
    return Site(f"http://127.0.0.1:{port}", live_process)


@pytest.fixture
def visitor(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page in a browser where nobody has logged in. At the end, no page of it may have complained."""
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    faults = chromium.Faults()
    with chromium.context(faults, site.url) as window:
        window.on("page", faults.watch)
        yield window.new_page()
        # What asked the database beside that loop had a connection of its own.
        connections.close_all()
    assert not faults.found


@pytest.fixture
def page(site: Site, visitor: Page) -> Page:
    """The same with the owner logged in. Paths are enough: `page.goto("/admin/")`."""
    visitor.context.add_cookies([{"name": "sessionid", "value": site.session(), "url": site.url}])
    return visitor
