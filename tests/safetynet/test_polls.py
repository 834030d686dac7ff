"""Polls as such: one at a time, cheap however many positions there are, on schedule."""

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings

from robson.celery import app
from robson.local.simulator import SimulatorProcess
from safetynet import lease, services
from safetynet.models import GuardedPosition, PollState
from safetynet.tasks import poll_all, rebuild_exclusions
from tests import factories
from tests.safetynet.support import Poll, at_once, deposit, our_orders
from trading.domain.types import Side
from trading.exchange.rest import BinanceMargin
from trading.exchange.rules_cache import RulesCache
from trading.execution import Desk
from trading.models import Account

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_poll_under_way_shuts_out_a_second_one(account: Account, desk: Desk, poll: Poll) -> None:
    turn = lease.begin(account, "somebody", desk.clock())
    assert turn is not None

    assert poll().ran is False
    lease.end(turn, desk.clock())
    assert poll().ran is True


def test_of_many_at_once_one_gets_the_turn(account: Account, desk: Desk) -> None:
    turns: list[lease.Lease | None] = []
    all_asked = threading.Barrier(8)

    def ask() -> None:
        turns.append(lease.begin(account, "somebody", desk.clock()))
        # Its session ends with the thread, and the turn with its session.
        all_asked.wait(10)

    errors = at_once(8, ask)

    assert errors == [None] * 8
    assert len([turn for turn in turns if turn]) == 1
    assert PollState.objects.get().polls == 1


def test_a_crashed_poll_gives_way_after_its_lease(account: Account, desk: Desk) -> None:
    now = desk.clock()
    crashed = lease.begin(account, "crashed", now)
    assert crashed is not None

    assert lease.begin(account, "next", now + timedelta(seconds=29)) is None
    assert lease.begin(account, "next", now + timedelta(seconds=31)) is not None
    with pytest.raises(lease.LeaseLost):
        lease.renew(crashed, now + timedelta(seconds=32))


def test_a_poll_that_was_killed_gives_way_at_once(account: Account, desk: Desk) -> None:
    now = desk.clock()
    # Each thread has a session of its own with the database, closed at its end as by a kill.
    at_once(1, lambda: lease.begin(account, "killed", now))
    assert PollState.objects.get().lease_until > now

    assert lease.begin(account, "next", now + timedelta(seconds=1)) is not None


def test_a_long_poll_keeps_its_turn(account: Account, desk: Desk) -> None:
    now = desk.clock()
    working = lease.begin(account, "slow", now)
    assert working is not None

    for seconds in range(0, 60, 2):
        lease.renew(working, now + timedelta(seconds=seconds))
        assert lease.begin(account, "next", now + timedelta(seconds=seconds + 25)) is None


def test_the_end_of_a_poll_that_lost_its_turn_changes_nothing(account: Account, desk: Desk) -> None:
    now = desk.clock()
    crashed = lease.begin(account, "crashed", now)
    assert crashed is not None
    lease.begin(account, "next", now + timedelta(seconds=31))

    lease.end(crashed, now + timedelta(seconds=32), error="too late")

    state = PollState.objects.get()
    assert (state.last_error, state.failures_in_a_row) == ("", 0)
    assert state.lease_until > now + timedelta(seconds=32)


def test_what_a_poll_costs_does_not_grow_with_the_positions(
    poll: Poll, market: SimulatorProcess, desk: Desk, calls: list[str]
) -> None:
    _open(market, range(5))
    few = _steady_cost(poll, calls)
    _open(market, range(5, 50))
    many = _steady_cost(poll, calls)

    assert GuardedPosition.objects.count() == 50
    assert many == few
    assert few[1] == ["margin_pairs", "prices"]


@pytest.fixture
def no_rules_yet(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.exchange, "_rules", RulesCache())


@pytest.mark.parametrize("many", [2, 5])
@pytest.mark.usefixtures("no_rules_yet")
def test_the_rules_of_many_new_symbols_are_asked_for_once(
    many: int, poll: Poll, market: SimulatorProcess, calls: list[str]
) -> None:
    _open(market, range(many))

    report = poll()

    assert (report.opened, report.failures) == (many, [])
    assert calls.count("symbol_rules") == 1
    assert calls.count("trades") == many


def test_dust_costs_no_question_about_its_trades(
    poll: Poll, market: SimulatorProcess, calls: list[str]
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.00995", symbol="BTCUSDT")

    assert poll().opened == 0
    assert "trades" not in calls


def test_collateral_is_looked_into_until_a_late_trade_would_have_shown(
    account: Account, desk: Desk, market: SimulatorProcess, calls: list[str]
) -> None:
    deposit(market, "BTCUSDT", "BTC", "1")
    now = desk.clock()
    looks = []
    for seconds in (0, 5, 31, 52, 73):
        calls.clear()
        services.poll(account, replace(desk, clock=partial(max, now + timedelta(seconds=seconds), now)))
        looks.append("trades" in calls)

    assert looks == [True, True, True, False, False]


def test_a_position_whose_trades_show_late_is_guarded_all_the_same(
    account: Account, desk: Desk, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    with monkeypatch.context() as late:
        late.setattr(BinanceMargin, "trades", lambda *_args, **_kwargs: [])
        assert services.poll(account, desk).opened == 0

    assert services.poll(account, desk).opened == 1


def test_the_state_of_the_polls_is_kept(poll: Poll, market: SimulatorProcess) -> None:
    poll()
    poll()

    state = PollState.objects.get()
    assert state.polls == 2
    assert state.last_success_at is not None
    assert state.last_started_at is not None
    assert state.last_success_at >= state.last_started_at


def test_the_poll_is_scheduled_every_20_seconds() -> None:
    migration = import_module("safetynet.migrations.0006_schedule_poll")
    migration.schedule(apps, None)
    task = PeriodicTask.objects.get(name="Safety Net: poll")

    assert (task.task, task.queue, task.expire_seconds, task.enabled) == (
        "safetynet.poll_all",
        "safetynet",
        20,
        True,
    )
    assert (task.interval.every, task.interval.period) == (20, "seconds")

    migration.unschedule(apps, None)
    assert not PeriodicTask.objects.filter(name="Safety Net: poll").exists()


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("safetynet.poll_all", "safetynet"),
        ("safetynet.exit_guard", "exits"),
        ("trading.execute_intent", "exits"),
        ("trading.sweep", "default"),
        ("trading.prune_events", "default"),
    ],
)
def test_exits_have_a_queue_of_their_own(task: str, queue: str) -> None:
    assert task in app.tasks
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_an_account_that_fails_does_not_stop_the_others(
    market: SimulatorProcess, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    factories.account("a-broken-one", api_key_env="NO_SUCH_VARIABLE")
    factories.account("not-watched", active=False)
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    poll_all()

    assert [guard.slot.account.name for guard in GuardedPosition.objects.all()] == ["main"]
    assert "the account a-broken-one was not polled" in caplog.text
    assert PollState.objects.count() == 1


def test_two_accounts_with_one_key_do_not_both_close_what_is_there(
    market: SimulatorProcess, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """A new account's form is filled with the names of the first one's variables."""
    factories.account("twin")
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")
    poll_all()
    market.control.price("BTCUSDT", "62000")
    poll_all()
    services.exit_guard(GuardedPosition.objects.get().pk)

    assert [order["side"] for order in our_orders(market)] == ["BUY"]
    assert market.control.ledger()["violations"] == []
    assert "twin: BINANCE_API_KEY is the key of account main" in caplog.text


def test_a_second_account_with_the_first_ones_key_is_refused(account: Account) -> None:
    with pytest.raises(ValidationError, match="This is the key of the account main already"):
        Account(name="twin").full_clean()
    Account(name="twin", active=False).full_clean()
    account.full_clean()


def test_a_worker_starts_with_a_true_exclusion_set(account: Account, redis_client: Any) -> None:
    position = factories.core_position("BTCUSDT", Side.LONG)
    redis_client.sadd("core_exclusion_set:main", "main:isolated_margin:ETHUSDT:long")

    rebuild_exclusions()

    assert redis_client.smembers("core_exclusion_set:main") == {str(position.slot.key)}


def test_polling_goes_on_without_redis(poll: Poll, market: SimulatorProcess, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    report = poll()

    assert (report.opened, report.monitored, report.failures) == (1, 1, [])


def _steady_cost(poll: Poll, calls: list[str]) -> tuple[int, list[str]]:
    poll()
    calls.clear()
    with CaptureQueriesContext(connection) as queries:
        report = poll()
    assert report.failures == []
    assert report.monitored == report.found
    return len(queries), sorted(calls)


def _open(market: SimulatorProcess, numbers: range) -> None:
    for number in numbers:
        symbol = f"SYN{number:02d}USDT"
        market.control.price(symbol, "10")
        market.control.trade("BUY" if number % 2 else "SELL", "10", symbol=symbol)
