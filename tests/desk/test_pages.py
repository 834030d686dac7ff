"""Who may look at the pages, what a browser may do with them, and what stands there without scripts."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django.fixtures import Settings

from safetynet.models import PollState
from tests import factories
from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Heartbeat

pytestmark = pytest.mark.django_db

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_user("anna", is_staff=True))
    return client


def pages() -> list[str]:
    """One of each kind, of positions that are there."""
    position, guard = factories.core_position(), factories.guard("ETHUSDT")
    return ["/", *(f"/positions/{position.pk}/{page}" for page in ("", "chart", "story/")),
            *(f"/guards/{guard.pk}/{page}" for page in ("", "chart", "story/"))]  # fmt: skip


def text(client: Client, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, page
    return answer.content.decode()


def test_every_page_needs_a_login(client: Client) -> None:
    for page in pages():
        answer = client.get(page)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={page}")
    assert client.get("/live/stream").status_code == 403


def test_a_login_that_is_not_staff_sees_nothing(client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("guest"))
    for page in pages():
        assert client.get(page).status_code == 302
    assert client.get("/live/stream").status_code == 403


def test_no_page_runs_anything_that_stands_in_it_or_comes_from_elsewhere(staff: Client) -> None:
    for page in pages():
        answer = staff.get(page)
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"]
        if not page.endswith("chart"):
            html = answer.content.decode()
            assert not re.search(r"<style|style=|<script>| on[a-z]+=|javascript:", html), page
            assert not re.search(r'(src|href)="(https?:)?//', html), page


@pytest.mark.parametrize(
    "page", ["/positions/99/", "/guards/99/", "/positions/99/story/", "/guards/99/chart"]
)
def test_what_does_not_exist_is_not_found(staff: Client, page: str) -> None:
    assert staff.get(page).status_code == 404


def test_pages_are_only_read(staff: Client) -> None:
    assert staff.post("/").status_code == 405


def test_without_scripts_the_live_page_shows_all_and_asks_again_by_itself(staff: Client) -> None:
    factories.core_position()
    html = text(staff, "/")
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in html
    assert "BTCUSDT long" in html
    assert "58800" in html


def test_danger_stands_before_everything_else_and_in_the_title(staff: Client) -> None:
    factories.core_position()
    Heartbeat.objects.create(name="consumer", at=LONG_AGO)
    PollState.objects.create(account=factories.account(), last_success_at=LONG_AGO)
    html = text(staff, "/")
    assert "<title>⚠ 1 position WITHOUT protection · Robson</title>" in html
    assert html.index("Nobody would close it") < html.index("positions-head")
    assert "loud.svg" in html.partition("data-calm")[0]


def test_the_page_of_a_position_has_its_stops_as_a_table(staff: Client) -> None:
    position = factories.core_position()
    journal.append(EventKind.POSITION_STOP_RAISED, position, at=LONG_AGO, stop="59000", extreme="60200")
    html = text(staff, f"/positions/{position.pk}/")
    assert "followed the price" in html
    assert "59000" in html


def test_the_page_of_a_position_that_is_over_tells_its_result(staff: Client) -> None:
    position = factories.core_position(
        state=PositionState.CLOSED, closed_at=LONG_AGO, exit_price="61000", realised_pnl="9.2",
        exit_reason="trailing stop",
    )  # fmt: skip
    html = text(staff, f"/positions/{position.pk}/")
    assert "It is over: closed, trailing stop." in html
    assert "+9.2" in html


def test_what_people_have_written_is_text_and_not_markup(staff: Client) -> None:
    factories.core_position(state=PositionState.ERROR, note="<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in text(staff, "/")


def test_flower_is_linked_where_its_address_is_known(staff: Client, settings: Settings) -> None:
    settings.FLOWER_URL = ""
    assert "Flower" not in text(staff, "/")
    settings.FLOWER_URL = "http://127.0.0.1:5555/"
    assert 'href="http://127.0.0.1:5555/"' in text(staff, "/")


def test_the_story_leads_with_the_verdict(staff: Client) -> None:
    position = factories.core_position()
    html = text(staff, f"/positions/{position.pk}/story/")
    assert html.index("Did the Safety Net ever try to close this Core position?") < html.index("In order")
    assert f"robson explain {position.pk}" in html
