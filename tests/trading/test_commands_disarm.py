"""`robson disarm` and `robson resume`: no exchange is asked."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests import factories
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Event

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        said(*arguments)
    return caught.value


@pytest.mark.parametrize("by_symbol", [True, False])
def test_disarm_takes_a_position_back_by_number_or_symbol(by_symbol: bool) -> None:
    position = factories.core_position(state=PositionState.ARMED)
    text = said("disarm", "btcusdt" if by_symbol else str(position.pk), "--reason", "changed my mind")
    assert "Nothing was bought or sold" in text
    position.refresh_from_db()
    assert position.state == PositionState.CANCELLED
    event = Event.objects.get(kind=EventKind.POSITION_DISARMED)
    assert event.data["reason"] == "changed my mind"
    assert event.data["by"]


def test_disarm_refuses_what_is_open_and_changes_nothing() -> None:
    position = factories.core_position(state=PositionState.ACTIVE)
    assert "not armed" in str(refused("disarm", "BTCUSDT"))
    position.refresh_from_db()
    assert position.state == PositionState.ACTIVE


def test_disarm_of_a_symbol_armed_on_both_sides_asks_which() -> None:
    for side in Side:
        factories.core_position(side=side, state=PositionState.ARMED)
    assert refused("disarm", "BTCUSDT").returncode == 2
    assert not Event.objects.exists()


@pytest.mark.parametrize("what", ["ETHUSDT", "4711", "99999999999999999999999"])
def test_disarm_of_what_is_not_there_points_to_the_list(what: str) -> None:
    assert "robson positions" in str(refused("disarm", what))


def test_resume_allows_entries_again_and_records_who_and_why() -> None:
    account = factories.account(entries_paused=True)
    said("resume", "--reason", "calm again")
    account.refresh_from_db()
    assert not account.entries_paused
    event = Event.objects.get(kind=EventKind.ACCOUNT_RESUMED)
    assert event.data["reason"] == "calm again"
    assert event.data["by"]
