"""What the owner does by hand: each action is recorded with its author and its reason, each in its place."""

from decimal import Decimal

import pytest

from tests import factories
from trading import operations
from trading.domain.events import EventKind
from trading.domain.lifecycle import MANAGED_STATES, PositionState
from trading.explain import NotPossible
from trading.models import Account, Event, Position

pytestmark = pytest.mark.django_db

WHY = {"reason": "enough", "by": "anna"}


def events(position: Position | None = None) -> dict[str, tuple[str, str]]:
    """(reason, author) of each recorded event that is about this position, or about none."""
    found = Event.objects.filter(position=position)
    return {event.kind: (event.data["reason"], event.data["by"]) for event in found if "by" in event.data}


def test_close_records_who_asked_apart_from_the_reason() -> None:
    position = factories.core_position()
    intent = operations.close_now(position=position, **WHY)
    assert events(position) == {EventKind.POSITION_EXIT_REQUESTED: ("enough", "anna")}
    assert (intent.reason, position.exit_reason) == ("enough", "enough")


def test_disarm_records_who_asked_apart_from_the_reason() -> None:
    position = factories.core_position(state=PositionState.ARMED)
    operations.disarm(position=position, **WHY)
    assert events(position) == {EventKind.POSITION_DISARMED: ("enough", "anna")}
    assert position.note == "enough"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (PositionState.ARMED, EventKind.POSITION_DISARMED),
        (PositionState.ENTERING, EventKind.POSITION_EXIT_MARKED),
        (PositionState.ACTIVE, EventKind.POSITION_EXIT_REQUESTED),
    ],
)
def test_panic_records_who_asked_with_everything_that_it_does(state: PositionState, kind: EventKind) -> None:
    position = factories.core_position(state=state)
    operations.panic(account=position.slot.account, **WHY)
    assert events(position) == {kind: ("enough", "anna")}
    assert events() == {EventKind.ACCOUNT_PAUSED: ("enough", "anna")}
    assert "anna" not in position.note + position.exit_reason


@pytest.mark.parametrize(
    ("paused", "kind"), [(True, EventKind.ACCOUNT_PAUSED), (False, EventKind.ACCOUNT_RESUMED)]
)
def test_pause_and_its_end_record_who_asked(paused: bool, kind: EventKind) -> None:
    account = factories.account(entries_paused=not paused)
    operations.pause_entries(account=account, paused=paused, **WHY)
    assert events() == {kind: ("enough", "anna")}


def test_reason_is_kept_up_to_the_length_that_an_order_has_for_it() -> None:
    position = factories.core_position()
    intent = operations.close_now(position=position, reason="x" * 100, by="anna")
    assert intent.reason == "x" * 64


def test_changed_settings_leave_everything_else_as_it_is_by_then() -> None:
    account = factories.account()
    Account.objects.update(entries_paused=True)
    account.capital = Decimal(500)
    assert operations.change_account(account=account, fields=["capital"], reason="enough", by="anna")
    account.refresh_from_db()
    assert (account.capital, account.entries_paused) == (500, True)


def test_settings_that_are_so_already_are_no_event() -> None:
    account = factories.account()
    assert not operations.change_account(account=account, fields=["capital"], reason="enough", by="anna")
    assert events() == {}


@pytest.mark.parametrize("state", MANAGED_STATES)
def test_an_account_with_something_of_cores_keeps_its_keys(state: PositionState) -> None:
    """Other keys lead to another account of Binance's, and there the position would be found gone."""
    position = factories.core_position("BTCUSDT", state=state)
    account = factories.account()
    account.api_key_env = "OTHER_KEY"
    with pytest.raises(NotPossible, match=f"keeps its keys.*position {position.pk}"):
        operations.change_account(account=account, fields=["api_key_env"], reason="new key", by="anna")
    account.refresh_from_db()
    assert account.api_key_env == "BINANCE_API_KEY"
    Position.objects.update(state=PositionState.CANCELLED)
    account.api_key_env = "OTHER_KEY"
    assert operations.change_account(account=account, fields=["api_key_env"], reason="new key", by="anna")
