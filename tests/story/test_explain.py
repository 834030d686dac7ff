"""`robson explain`: which position is meant, and what it prints."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests import factories
from tests.factories import NOON
from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("explain", *arguments, stdout=out)
    return out.getvalue()


def test_a_symbol_means_its_latest_position() -> None:
    factories.core_position(state=PositionState.CLOSED, closed_at=NOON)
    latest = factories.core_position()
    assert said("btcusdt").startswith(f"core {latest.pk}  BTCUSDT long (main), active")


def test_a_number_means_that_position() -> None:
    first = factories.core_position(state=PositionState.CLOSED, closed_at=NOON)
    factories.core_position()
    assert said(str(first.pk)).startswith(f"core {first.pk}  BTCUSDT long (main), closed")


def test_a_guard_is_asked_for_by_name() -> None:
    guard = factories.guard("ETHUSDT")
    assert said("ETHUSDT", "--guard").startswith(f"guard {guard.pk}  ETHUSDT long (main), guarding")


def test_an_account_narrows_it_down() -> None:
    first = factories.core_position()
    factories.core_position(of=factories.account("second"))
    assert said("BTCUSDT", "--account", "main").startswith(f"core {first.pk} ")


@pytest.mark.parametrize("wanted", ["ETHUSDT", "99999999999999999999"])
def test_what_does_not_exist_is_told_with_what_to_do(wanted: str) -> None:
    with pytest.raises(CommandError, match=f"no position {wanted}.*positions --all.*--guard"):
        said(wanted)


def test_the_day_is_told_once_and_each_line_to_the_millisecond() -> None:
    position = factories.core_position(armed_at=NOON)
    at = NOON + timedelta(milliseconds=123)
    journal.append(EventKind.POSITION_ACTIVATED, position, at=at, entry="60000", stop="58800")
    text = said(str(position.pk))
    assert "12:00:00.123" in text
    assert "Open, stop 58800" in text


def test_json_holds_the_verdict_and_every_line() -> None:
    position = factories.core_position(armed_at=NOON)
    journal.append(EventKind.POSITION_ACTIVATED, position, at=NOON, stop="58800")
    story = json.loads(said(str(position.pk), "--json"))
    assert story["verdict"]["answer"] == "No."
    (line,) = story["lines"]
    assert (line["act"], line["text"]) == ("known", "Open, stop 58800")
