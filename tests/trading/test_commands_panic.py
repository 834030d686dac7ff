"""`robson panic`: everything of Core closed at market, by a worker or by this very process."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django.fixtures import Settings

from robson.local.simulator import SimulatorProcess
from tests import factories
from tests.live import database_url
from tests.terminal import HIDE_CURSOR, ROBSON, SHOW_CURSOR, OnTerminal
from tests.trading.support import run, trade_on
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.models import Account, Event, OrderIntent, Position

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def exchange(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> SimulatorProcess:
    trade_on(simulator, settings, monkeypatch)
    simulator.control.price("BTCUSDT", "60000")
    simulator.control.price("ETHUSDT", "2000")
    return simulator


def held(exchange: SimulatorProcess, symbol: str = "BTCUSDT", entry: str = "60000") -> Position:
    """An Active position of Core that the exchange really holds."""
    exchange.control.trade("BUY", "0.01", symbol=symbol)
    return factories.core_position(symbol, entry=entry, distance="40")


def state_of(position: Position) -> str:
    position.refresh_from_db()
    return position.state


def test_panic_without_a_broker_sells_in_its_own_process_and_says_so(exchange: SimulatorProcess) -> None:
    position = held(exchange)
    outcome = run(
        "panic", "--yes", environment={**exchange.environment(), "REDIS_URL": "redis://127.0.0.1:9/1"}
    )
    assert outcome.code == 0, outcome.err
    assert "in this process" in outcome.err
    assert "closed at 60000" in outcome.out
    assert state_of(position) == PositionState.CLOSED
    assert exchange.control.ledger()["violations"] == []


def test_panic_takes_over_what_no_worker_takes(exchange: SimulatorProcess) -> None:
    positions = [held(exchange), held(exchange, "ETHUSDT", "2000")]
    err = StringIO()
    call_command("panic", "--yes", stdout=StringIO(), stderr=err)
    assert [state_of(position) for position in positions] == [PositionState.CLOSED] * 2
    assert "No worker took the exit" in err.getvalue()
    assert exchange.control.ledger()["violations"] == []


def test_panic_shows_on_a_terminal_how_far_each_exit_is(exchange: SimulatorProcess) -> None:
    position = held(exchange)
    environment = {
        **exchange.environment(),
        "DATABASE_URL": database_url(),
        "REDIS_URL": "redis://127.0.0.1:9/1",
    }
    exchange.control.fault("latency_ms", ms=600, path="/sapi/v1/margin/order")
    with OnTerminal([*ROBSON, "panic", "--yes"], environment) as terminal:
        terminal.until("BTCUSDT Long")
        assert terminal.ended() == 0
    assert "of 0.01" in terminal.drawn
    assert "in this process" in terminal.drawn
    assert "closed at 60000" in terminal.drawn
    assert terminal.drawn.rindex(SHOW_CURSOR) > terminal.drawn.rindex(HIDE_CURSOR)
    assert state_of(position) == PositionState.CLOSED


def test_panic_pauses_entries_and_disarms_and_records_who_asked() -> None:
    account = factories.account()
    armed = factories.core_position(state=PositionState.ARMED)
    call_command("panic", "--yes", "--reason", "news", stdout=StringIO())
    account.refresh_from_db()
    assert account.entries_paused
    assert state_of(armed) == PositionState.CANCELLED
    event = Event.objects.get(kind=EventKind.ACCOUNT_PAUSED)
    assert (event.data["reason"], bool(event.data["by"])) == ("news", True)


def test_panic_says_what_becomes_of_an_entry_that_is_on_its_way() -> None:
    position = factories.core_position(state=PositionState.ENTERING)
    out = StringIO()
    call_command("panic", "--yes", "--reason", "news", stdout=out)
    assert f"{position} is just entering: it is closed as soon as it is filled." in out.getvalue()
    assert state_of(position) == PositionState.ENTERING
    position.refresh_from_db()
    assert position.exit_reason == "news"


def test_panic_that_is_not_confirmed_does_nothing() -> None:
    armed = factories.core_position(state=PositionState.ARMED)
    outcome = run("panic", answer="n\n")
    assert outcome.code == 1
    assert "Nothing was done" in outcome.err
    assert state_of(armed) == PositionState.ARMED


def test_close_ends_one_position_and_leaves_the_rest_alone(exchange: SimulatorProcess) -> None:
    one, other = held(exchange), held(exchange, "ETHUSDT", "2000")
    out = StringIO()
    call_command("panic", "--close", str(one.pk), "--yes", "--json", stdout=out, stderr=StringIO())
    assert json.loads(out.getvalue())[0]["average_price"] == "60000"
    assert (state_of(one), state_of(other)) == (PositionState.CLOSED, PositionState.ACTIVE)
    one.slot.account.refresh_from_db()
    assert not one.slot.account.entries_paused
    assert one.exit_reason == "closed by hand"
    assert Event.objects.get(kind=EventKind.POSITION_EXIT_REQUESTED, position=one).data["by"]


@pytest.mark.parametrize("state", [PositionState.ARMED, PositionState.ENTERING, PositionState.CLOSED])
def test_close_refuses_what_is_not_active(state: PositionState) -> None:
    position = factories.core_position(state=state)
    with pytest.raises(CommandError, match="not active"):
        call_command("panic", "--close", str(position.pk), "--yes", stdout=StringIO())
    assert state_of(position) == state
    assert not OrderIntent.objects.exists()


def test_an_exit_that_cannot_finish_in_time_is_told_and_stays_committed(exchange: SimulatorProcess) -> None:
    position = held(exchange)
    exchange.control.fault("http_status", status=503, path="/sapi/v1/margin/order")
    with pytest.raises(CommandError, match="not finished"):
        call_command("panic", "--yes", "--wait", "2.5", stdout=StringIO(), stderr=StringIO())
    assert state_of(position) == PositionState.EXITING
    assert OrderIntent.objects.filter(position=position).count() == 1


@pytest.mark.parametrize("named", [(), ("--account", "main")])
def test_panic_and_positions_know_what_an_account_that_is_switched_off_holds(
    exchange: SimulatorProcess, named: tuple[str, ...]
) -> None:
    position = held(exchange)
    Account.objects.update(active=False)
    seen = StringIO()
    call_command("positions", "--json", *named, stdout=seen)
    assert [one["symbol"] for one in json.loads(seen.getvalue())] == ["BTCUSDT"]
    call_command("panic", "--yes", *named, stdout=StringIO(), stderr=StringIO())
    assert state_of(position) == PositionState.CLOSED
