"""`robson positions`: Core's and the owner's own, and who protects them."""

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries

from robson.holdings import holdings
from safetynet.models import Exemption
from tests import factories
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("positions", *arguments, stdout=out)
    return out.getvalue()


def line_of(text: str, symbol: str) -> str:
    return next(line for line in text.splitlines() if symbol in line)


def exempt(symbol: str, until: datetime) -> Exemption:
    return Exemption.objects.create(slot=factories.slot(symbol), reason="long-term bag", until=until)


def test_with_nothing_there_it_tells_how_to_arm() -> None:
    text = said()
    assert "Nothing is armed, open or guarded." in text
    assert "robson arm BTCUSDT" in text


def test_core_and_guarded_positions_stand_in_one_list() -> None:
    factories.everything_works()
    factories.core_position("BTCUSDT")
    factories.guard("ETHUSDT", Side.SHORT, entry="2000", quantity="0.5")
    text = said()
    core, guard = line_of(text, "BTCUSDT"), line_of(text, "ETHUSDT")
    for part in ("long", "active", "0.01", "60000", "58800", "1200 (2.00 %)", "Core, trailing stop"):
        assert part in core
    for part in ("short", "guarding", "0.5", "2000", "2040", "40 (2.00 %)", "Safety Net, fixed stop"):
        assert part in guard


def test_an_armed_position_shows_no_price_it_does_not_have() -> None:
    factories.core_position(state=PositionState.ARMED)
    assert "waiting for a crossover" in line_of(said(), "BTCUSDT")
    (one,) = json.loads(said("--json"))
    assert (one["entry_price"], one["stop_price"], one["quantity"]) == (None, None, None)


def test_an_exempt_guard_is_shown_as_protected_by_nobody() -> None:
    factories.guard("ETHUSDT")
    exempt("ETHUSDT", datetime.now(UTC) + timedelta(hours=1))
    line = line_of(said(), "ETHUSDT")
    assert "nobody: exempt until" in line
    assert "long-term bag" in line


def test_an_exemption_that_is_over_protects_again() -> None:
    factories.guard("ETHUSDT")
    started = datetime.now(UTC) - timedelta(hours=2)
    Exemption.objects.create(
        slot=factories.slot("ETHUSDT"), reason="x", created_at=started, until=started + timedelta(hours=1)
    )
    assert "Safety Net, fixed stop" in line_of(said(), "ETHUSDT")


def test_a_position_in_error_is_not_hidden() -> None:
    factories.core_position(state=PositionState.ERROR)
    assert "NOBODY: it was filled and has no stop" in line_of(said(), "BTCUSDT")


def test_a_position_in_error_that_the_safety_net_has_taken_over_is_left_to_it() -> None:
    factories.everything_works()
    factories.core_position(state=PositionState.ERROR)
    factories.guard()
    failed, guard = said().splitlines()[1:]
    assert "not Core any more: look at it" in failed
    assert "Safety Net, fixed stop" in guard


def test_what_ended_is_shown_only_on_demand() -> None:
    ended = datetime.now(UTC)
    factories.core_position(
        state=PositionState.CLOSED, closed_at=ended, exit_price=61000, realised_pnl=10, exit_reason="stop"
    )
    factories.guard("ETHUSDT", state=GuardState.CLOSED, closed_at=ended, end_reason="closed by hand")
    assert "Nothing is armed" in said()
    text = said("--all")
    assert "61000" in line_of(text, "BTCUSDT")
    assert "closed by hand" in line_of(text, "ETHUSDT")


class Terminal(StringIO):
    """A screen that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 160])
def test_no_number_is_cut_off_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    factories.everything_works()
    factories.core_position(entry="60123.456789", quantity="0.01234567", distance="1234.56789")
    screen = Terminal()
    call_command("positions", stdout=screen)
    for number in ("60123.456789", "0.01234567", "58888.888899", "Core, trailing stop"):
        assert number in screen.getvalue()
    assert all(len(line) <= columns for line in screen.getvalue().splitlines() if "\x1b" not in line)


def test_price_room_and_result_are_shown_with_the_age_of_the_price() -> None:
    factories.everything_works(prices={"BTCUSDT": "60600"})
    factories.core_position("BTCUSDT")
    line = line_of(said(), "BTCUSDT")
    for part in ("60600 (0 s)", "1800 (2.97 %)", "+6"):
        assert part in line
    (one,) = json.loads(said("--json"))
    assert (one["price"], one["to_stop"], one["unrealised"]) == ("60600", "1800", "6")
    assert (one["protected"], one["exposed"]) == (True, True)


@pytest.mark.parametrize(
    ("columns", "there", "left_out"),
    [
        (250, "since (UTC)", "nothing"),
        (135, "quantity", "since (UTC)"),
        (100, "protected by", "quantity"),
        (70, "unrealised +6", "protected by"),
    ],
)
def test_with_less_room_less_is_shown_and_never_what_matters(
    monkeypatch: pytest.MonkeyPatch, columns: int, there: str, left_out: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    factories.everything_works(prices={"BTCUSDT": "60600"})
    factories.core_position("BTCUSDT")
    screen = Terminal()
    call_command("positions", stdout=screen)
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert there in text
    assert max(map(len, text.splitlines())) <= columns
    assert left_out not in text
    for what_matters in ("BTCUSDT", "long", "active", "58800", "60600 (0 s)", "2.97 %", "+6"):
        assert what_matters in text


def test_what_nobody_protects_is_named_again_at_the_end() -> None:
    factories.core_position("BTCUSDT")
    assert "1 without protection" in said().splitlines()[-1]
    factories.everything_works()
    assert "without protection" not in said()


def test_a_reason_in_brackets_is_shown_as_it_was_written() -> None:
    factories.guard("ETHUSDT")
    Exemption.objects.create(
        slot=factories.slot("ETHUSDT"), reason="[bold]bag[/]", until=datetime.now(UTC) + timedelta(hours=1)
    )
    assert "[bold]bag[/]" in line_of(said(), "ETHUSDT")


def test_a_pause_of_entries_is_told() -> None:
    factories.account(entries_paused=True)
    assert "Entries are paused on main" in said()


def test_one_account_can_be_chosen() -> None:
    factories.core_position("BTCUSDT", of=factories.account("main"))
    factories.core_position("ETHUSDT", of=factories.account("second"))
    assert [one["symbol"] for one in json.loads(said("--json", "--account", "second"))] == ["ETHUSDT"]


def test_the_number_of_queries_does_not_grow_with_the_positions(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    main = factories.account()
    for number in range(30):
        factories.core_position(f"C{number}USDT")
        factories.guard(f"G{number}USDT")
    with django_assert_num_queries(6):
        assert len(holdings([main], now=datetime.now(UTC))) == 60
