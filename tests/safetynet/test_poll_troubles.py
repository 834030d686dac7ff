"""Trouble with one position, one exit or one account, and what a poll still does for all the others."""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from prometheus_client import REGISTRY

from robson.local.simulator import SimulatorProcess
from safetynet import exits, lease, services
from safetynet import poll as polling
from safetynet.models import GuardedPosition
from tests import factories
from tests.safetynet.support import Poll, live_guard, our_orders
from trading.domain.lifecycle import GuardState
from trading.domain.types import MarginPair
from trading.exchange.errors import Refused
from trading.exchange.rest import BinanceMargin
from trading.execution import Desk
from trading.models import Account

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_guard_without_a_price_is_reported_and_not_marked_as_seen(
    poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    monkeypatch.setattr(BinanceMargin, "prices", lambda _: {})

    report = poll()

    assert (report.monitored, report.failures) == (1, ["BTCUSDT Long: the exchange gave no price"])
    assert live_guard().last_seen_at == before.last_seen_at


def test_a_guard_whose_pair_the_answer_leaves_out_is_reported_and_not_taken_for_gone(
    poll: Poll, market: SimulatorProcess, account: Account, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    pairs = dict(desk.exchange.margin_pairs())
    del pairs["BTCUSDT"]
    monkeypatch.setattr(BinanceMargin, "margin_pairs", lambda *_: pairs)

    for seconds in (0, 40, 80):
        later = desk.clock() + timedelta(seconds=seconds)
        report = services.poll(account, replace(desk, clock=partial(max, later, later)))
        assert report.failures == ["BTCUSDT Long: the account's answer leaves its pair out"]

    assert (live_guard().state, live_guard().last_seen_at) == (GuardState.GUARDING, before.last_seen_at)


def test_the_stop_of_a_guard_whose_pair_the_answer_leaves_out_is_judged_by_what_is_asked_by_name(
    poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    honest = BinanceMargin.margin_pairs

    def leaves_out(self: BinanceMargin, symbols: Collection[str] = ()) -> dict[str, MarginPair]:
        pairs = dict(honest(self, symbols))
        return pairs if symbols else {name: pair for name, pair in pairs.items() if name != "BTCUSDT"}

    monkeypatch.setattr(BinanceMargin, "margin_pairs", leaves_out)
    assert poll().failures == []
    market.control.price("BTCUSDT", "58000")

    report = poll()

    assert (len(report.exits_requested), report.failures) == (1, [])


def test_a_guard_whose_pair_is_refused_by_name_too_leaves_the_others_their_poll(
    poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for symbol, side, quantity in (("BTCUSDT", "BUY", "0.01"), ("ETHUSDT", "SELL", "0.5")):
        market.control.trade(side, quantity, symbol=symbol)
    poll()
    honest = BinanceMargin.margin_pairs

    def leaves_out(self: BinanceMargin, symbols: Collection[str] = ()) -> dict[str, MarginPair]:
        if symbols:
            raise Refused("Isolated margin account does not exist.", code=-11001)
        return {name: pair for name, pair in honest(self).items() if name != "BTCUSDT"}

    monkeypatch.setattr(BinanceMargin, "margin_pairs", leaves_out)

    report = poll()

    assert (report.monitored, report.failures) == (
        1,
        ["BTCUSDT Long: the account's answer leaves its pair out"],
    )


def test_exits_that_are_due_come_before_the_positions_that_are_well(
    poll: Poll, market: SimulatorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    poll()
    market.control.price("ETHUSDT", "3100")
    caplog.set_level(logging.INFO, logger="safetynet")
    caplog.clear()

    poll()

    well, due = (_first(caplog.messages, symbol) for symbol in ("BTCUSDT", "ETHUSDT"))
    assert due < well


def _first(messages: list[str], symbol: str) -> int:
    return next(number for number, message in enumerate(messages) if f"Monitoring {symbol}" in message)


def test_guards_of_another_account_are_left_alone(poll: Poll, market: SimulatorProcess) -> None:
    factories.guard(of=factories.account("another"), last_seen_at=factories.NOON)

    report = poll()

    assert (report.monitored, report.closed, report.failures) == (0, 0, [])
    assert live_guard().state == GuardState.GUARDING


def test_rules_that_cannot_be_asked_for_at_once_are_asked_for_one_by_one(
    poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refused("too many symbols")

    monkeypatch.setattr(BinanceMargin, "learn_rules", refuse)
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")

    report = poll()

    assert (report.opened, report.failures) == (2, [])


def test_a_poll_that_loses_its_turn_while_it_works_stops_there(
    account: Account, desk: Desk, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT", "SYN00USDT"):
        market.control.price(symbol, "100")
        market.control.trade("BUY", "1", symbol=symbol)
    now = desk.clock()
    times = [now]
    trades = BinanceMargin.trades

    def hang(*args: Any, **kwargs: Any) -> Any:
        times.append(now + timedelta(seconds=40))
        lease.begin(account, "another", times[-1])
        return trades(*args, **kwargs)

    monkeypatch.setattr(BinanceMargin, "trades", hang)

    report = services.poll(account, replace(desk, clock=lambda: times[-1]))

    assert report.opened == 1, "the look that was under way is finished"
    (failure,) = report.failures
    assert failure.startswith("LeaseLost")


@pytest.fixture
def due_here(poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two touched positions, and a broker that takes nothing: the poll has to execute their exits itself."""
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    poll()
    market.control.price("BTCUSDT", "58000")
    market.control.price("ETHUSDT", "3100")
    monkeypatch.setattr(exits, "ask", lambda _: False)


@pytest.mark.parametrize("broken", ["BTCUSDT", "ETHUSDT"])
@pytest.mark.usefixtures("due_here")
def test_an_exit_that_fails_in_the_poll_leaves_the_other_exits_theirs(
    poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    really = exits.exit_guard

    def fail(guard_id: int, desk: Desk) -> None:
        if GuardedPosition.objects.get(pk=guard_id).slot.symbol == broken:
            raise RuntimeError("a surprise")
        really(guard_id, desk)

    monkeypatch.setattr(exits, "exit_guard", fail)

    (failure,) = poll().failures

    assert "a surprise" in failure
    (order,) = our_orders(market)
    assert order["symbol"] != broken
    assert live_guard().state == GuardState.GUARDING


@pytest.mark.usefixtures("due_here")
def test_a_database_that_is_away_ends_the_poll_and_not_each_exit_in_turn(
    poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def fail(guard_id: int, _desk: Desk) -> None:
        tried.append(guard_id)
        raise OperationalError("the database is away")

    monkeypatch.setattr(exits, "exit_guard", fail)

    (failure,) = poll().failures

    assert "the database is away" in failure
    assert len(tried) == 1


@pytest.fixture
def companions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nobody accompanies the poll yet. The accounts that the companion `keep` was called with."""
    monkeypatch.setattr(polling, "_companions", [])
    called: list[str] = []

    def keep(account: Account, _desk: Desk) -> None:
        called.append(account.name)

    polling.accompany(keep)
    polling.accompany(keep)
    return called


def test_a_companion_runs_once_with_each_poll_whatever_becomes_of_it(
    poll: Poll, market: SimulatorProcess, companions: list[str]
) -> None:
    assert poll().failures == []
    market.control.fault("http_status", path="/sapi/v1/margin/isolated/account", status=500)
    assert poll().failures != []

    assert companions == ["main", "main"]


def test_a_companion_runs_although_the_database_gives_no_turn(
    poll: Poll, companions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(lease, "begin", away)

    assert poll().failures == ["OperationalError: the database is away"]
    assert companions == ["main"]


def test_polls_and_exit_requests_are_counted(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    well, failed = _polls("ok"), _polls("failed")
    asked = _metric("safety_net_exit_requests_total", symbol="BTCUSDT")
    poll()
    market.control.price("BTCUSDT", "58000")
    poll()
    assert _metric("safety_net_exit_requests_total", symbol="BTCUSDT") == asked + 1
    market.control.fault("http_status", path="/sapi/v1/margin/isolated/account", status=500)
    poll()
    assert (_polls("ok"), _polls("failed")) == (well + 2, failed + 1)


def _polls(outcome: str) -> float:
    return _metric("safety_net_polls_total", account="main", outcome=outcome)


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
