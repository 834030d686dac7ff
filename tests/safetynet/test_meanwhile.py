"""Core acts while the poll is looking: what the exchange showed is Core's, before or after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from django.db import OperationalError

from robson.local.simulator import SimulatorProcess
from safetynet import services
from safetynet.models import GuardedPosition
from tests import factories
from tests.safetynet.support import live_guard
from trading import queries
from trading.domain.lifecycle import PositionState
from trading.domain.types import MarginPair, OwnTrade, SlotKey
from trading.execution import Desk
from trading.models import Account, Position
from trading.queries import CoreHolding

pytestmark = pytest.mark.django_db(transaction=True)


Action = Callable[[], object]


def nothing() -> None:
    """Nothing happens."""


class Meanwhile:
    """The real exchange, except that something happens just before, or after, it answers."""

    def __init__(
        self, exchange: Any, *, before: Action = nothing, after: Action = nothing, at_trades: Action = nothing
    ) -> None:
        self._exchange, self._before, self._after, self._at_trades = exchange, before, after, at_trades

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def margin_pairs(self, symbols: Any = ()) -> Mapping[str, MarginPair]:
        self._before()
        pairs: Mapping[str, MarginPair] = self._exchange.margin_pairs(symbols)
        self._after()
        return pairs

    def trades(self, *args: Any, **kwargs: Any) -> Sequence[OwnTrade]:
        self._at_trades()
        trades: Sequence[OwnTrade] = self._exchange.trades(*args, **kwargs)
        return trades


def test_an_entry_filled_while_the_poll_was_asking_is_cores(
    account: Account, desk: Desk, market: SimulatorProcess
) -> None:
    def enter() -> None:
        factories.core_position("BTCUSDT", state=PositionState.ENTERING)
        market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    report = services.poll(account, replace(desk, exchange=Meanwhile(desk.exchange, before=enter)))

    assert (report.skipped, report.opened) == (1, 0)
    assert not GuardedPosition.objects.exists()


def test_an_exit_settled_while_the_poll_was_asking_was_cores(
    account: Account, desk: Desk, market: SimulatorProcess
) -> None:
    factories.core_position("BTCUSDT", quantity="0.00999")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    def leave() -> None:
        market.control.trade("SELL", "all", symbol="BTCUSDT")
        Position.objects.update(state=PositionState.CLOSED)

    report = services.poll(account, replace(desk, exchange=Meanwhile(desk.exchange, after=leave)))

    assert (report.skipped, report.opened) == (1, 0)
    assert not GuardedPosition.objects.exists()


@pytest.mark.parametrize("unreadable", [0, 1])
def test_what_core_owns_is_unknown_unless_it_could_be_read_both_times(
    account: Account,
    desk: Desk,
    market: SimulatorProcess,
    monkeypatch: pytest.MonkeyPatch,
    unreadable: int,
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    holdings, asked = queries.core_holdings, count()

    def sometimes(of: Account) -> Mapping[SlotKey, CoreHolding]:
        if next(asked) == unreadable:
            raise OperationalError("the database is away")
        return holdings(of)

    monkeypatch.setattr(queries, "core_holdings", sometimes)
    report = services.poll(account, desk)

    assert (report.found, report.opened) == (1, 0)


def test_core_opening_while_the_trades_are_read_is_seen_under_the_slots_lock(
    account: Account, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    def enter() -> None:
        factories.core_position("BTCUSDT", state=PositionState.ENTERING)

    exchange = Meanwhile(desk.exchange, at_trades=enter)
    report = services.poll(account, replace(desk, exchange=exchange))

    assert (report.opened, report.failures) == (0, [])
    assert not GuardedPosition.objects.exists()


def test_a_guard_taken_by_its_exit_while_the_poll_was_asking_is_left_to_it(
    account: Account, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    services.poll(account, desk)
    guard = live_guard()
    GuardedPosition.objects.filter(pk=guard.pk).update(touched_price="58000")

    exchange = Meanwhile(desk.exchange, before=lambda: services.exit_guard(guard.pk, desk))
    report = services.poll(account, replace(desk, exchange=exchange))

    assert (report.closed, report.failures) == (0, [])
    assert GuardedPosition.objects.get().end_reason == "safety stop"


def test_a_changed_guard_taken_by_its_exit_while_the_trades_are_read_is_left_to_it(
    account: Account, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    services.poll(account, desk)
    guard = live_guard()
    GuardedPosition.objects.filter(pk=guard.pk).update(touched_price="58000")
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")

    exchange = Meanwhile(desk.exchange, at_trades=lambda: services.exit_guard(guard.pk, desk))
    report = services.poll(account, replace(desk, exchange=exchange))

    after = GuardedPosition.objects.get()
    assert (report.recomputed, report.failures) == (0, [])
    assert (after.end_reason, after.quantity) == ("safety stop", guard.quantity)
