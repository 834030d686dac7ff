"""The door, as a browser sees it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, USER

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_the_owner_logs_in_and_a_wrong_password_is_told(visitor: Page) -> None:
    visitor.goto("/")
    visitor.get_by_label("Username").fill(USER)
    visitor.get_by_label("Password").fill("wrong")
    visitor.get_by_role("button", name="Log in").click()
    expect(visitor.locator("body")).to_contain_text("correct username and password")
    visitor.get_by_label("Password").fill(PASSWORD)
    visitor.get_by_role("button", name="Log in").click()
    expect(visitor).not_to_have_url("**/login/**")
    expect(visitor.locator("body")).not_to_contain_text("Log in")
