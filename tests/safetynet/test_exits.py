"""A touched stop becomes exactly one exit, whoever asks, however often, and whatever is broken around it."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.db import OperationalError
from pytest_django.fixtures import Settings

from robson.celery import app
from robson.local.simulator import SimulatorProcess
from safetynet import exclusions, guarding, services
from safetynet.models import GuardedPosition
from tests import factories
from tests.safetynet.support import (
    Poll,
    approximately,
    at_once,
    core_unreadable,
    eventually,
    kinds,
    live_guard,
    our_orders,
    violations,
)
from trading import execution, gateway
from trading.domain.lifecycle import GuardState, IntentState, PositionState
from trading.domain.types import Side
from trading.execution import Desk
from trading.models import Account, OrderIntent
from trading.models.intent import Owner

pytestmark = pytest.mark.django_db(transaction=True)

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", NOWHERE)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)


def test_a_touch_asks_the_exits_queue_for_an_exit(
    touched: GuardedPosition, redis_client: redis.Redis, market: SimulatorProcess
) -> None:
    assert redis_client.llen("exits") == 1
    assert touched.touched_price == Decimal(58000)
    assert our_orders(market) == [], "the poll itself sends nothing"


def test_a_long_is_sold_and_its_guard_closed(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    services.exit_guard(touched.pk, desk)

    touched.refresh_from_db()
    (order,) = our_orders(market)
    assert (order["side"], order["type"], order["side_effect"]) == ("SELL", "MARKET", "AUTO_REPAY")
    assert Decimal(order["executed"]) == Decimal("0.00999")
    assert (touched.state, touched.end_reason) == (GuardState.CLOSED, "safety stop")
    assert touched.exit_price is not None
    assert approximately(touched.exit_price, "58000")
    assert touched.closed_at is not None
    intent = OrderIntent.objects.get()
    assert (intent.owner, intent.guard_id, intent.state) == (Owner.SAFETY_NET, touched.pk, IntentState.DONE)
    assert (intent.reason, intent.trigger_price) == ("safety stop", Decimal(58000))
    assert violations(market) == []


def test_a_short_is_bought_back_without_a_debt_left(poll: Poll, desk: Desk, market: SimulatorProcess) -> None:
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    poll()
    market.control.price("ETHUSDT", "3061")
    report = poll()

    services.exit_guard(report.exits_requested[0], desk)

    assert GuardedPosition.objects.get().state == GuardState.CLOSED
    assert desk.exchange.margin_pairs(["ETHUSDT"])["ETHUSDT"].base.debt == 0
    assert len(our_orders(market)) == 1
    assert violations(market) == []


def test_the_events_tell_the_whole_story(touched: GuardedPosition, desk: Desk) -> None:
    services.exit_guard(touched.pk, desk)

    assert kinds() == [
        "guard.opened",
        "guard.exit_requested",
        "intent.claimed",
        "intent.sent",
        "intent.filled",
        "intent.settled",
        "guard.closed",
    ]


def test_what_is_left_after_the_exit_is_not_guarded_again(
    touched: GuardedPosition, desk: Desk, poll: Poll
) -> None:
    services.exit_guard(touched.pk, desk)

    report = poll()

    assert (report.opened, report.failures) == (0, [])


def test_a_second_task_does_nothing(touched: GuardedPosition, desk: Desk, market: SimulatorProcess) -> None:
    services.exit_guard(touched.pk, desk)
    services.exit_guard(touched.pk, desk)

    assert len(our_orders(market)) == 1


def test_many_tasks_at_once_send_one_order(
    touched: GuardedPosition, account: Account, market: SimulatorProcess
) -> None:
    errors = at_once(8, lambda: services.exit_guard(touched.pk, gateway.desk_for(account)))

    assert errors == [None] * 8
    assert len(our_orders(market)) == 1
    assert OrderIntent.objects.count() == 1
    assert violations(market) == []


def test_without_the_claim_the_exchange_would_have_taken_every_order(
    touched: GuardedPosition, market: SimulatorProcess
) -> None:
    """The control: nothing but the claim stands between eight tasks and eight orders."""
    at_once(8, lambda: market.control.trade("SELL", "0.00999", symbol="BTCUSDT"))

    sold = [order for order in market.control.orders() if order["side"] == "SELL"]
    assert len(sold) == 8


def test_a_price_that_came_back_does_not_call_the_exit_off(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.price("BTCUSDT", "60000")

    services.exit_guard(touched.pk, desk)

    assert len(our_orders(market)) == 1


def test_a_guard_that_was_not_touched_is_not_exited(poll: Poll, desk: Desk, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()

    services.exit_guard(live_guard().pk, desk)

    assert our_orders(market) == []
    assert live_guard().state == GuardState.GUARDING


def test_a_stop_that_the_owner_has_moved_is_not_the_one_that_was_touched(
    touched: GuardedPosition, poll: Poll, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.05", symbol="BTCUSDT")

    assert poll().exits_requested == []
    services.exit_guard(touched.pk, desk)

    assert our_orders(market) == []
    assert live_guard().touched_price is None


def test_core_opening_in_the_slot_releases_the_guard_instead(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    position = factories.core_position("BTCUSDT", Side.LONG, state=PositionState.ENTERING)

    services.exit_guard(touched.pk, desk)

    touched.refresh_from_db()
    assert (touched.state, touched.end_reason) == (GuardState.RELEASED, "managed by Core")
    assert our_orders(market) == []
    assert kinds()[-1] == "guard.released"
    assert not OrderIntent.objects.filter(owner=Owner.SAFETY_NET).exists()
    assert position.pk


def test_a_tracked_position_is_released_when_core_opens_in_its_slot(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    factories.core_position("BTCUSDT", Side.LONG, quantity="0.01")
    market.control.price("BTCUSDT", "50000")

    report = poll()

    assert (report.released, report.skipped, report.exits_requested) == (1, 1, [])
    assert GuardedPosition.objects.get().state == GuardState.RELEASED


def test_an_unreadable_database_sends_nothing(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    with core_unreadable(), pytest.raises(OperationalError):
        services.exit_guard(touched.pk, desk)

    assert our_orders(market) == []
    assert live_guard().state == GuardState.GUARDING


def test_an_exit_of_core_under_way_makes_ours_wait(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    factories.intent(touched.slot, owner=Owner.CORE)

    services.exit_guard(touched.pk, desk)

    assert our_orders(market) == []
    assert live_guard().state == GuardState.GUARDING
    assert "guard.exit_requested" not in kinds()


def test_without_redis_the_database_decides(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess, settings: Settings
) -> None:
    settings.REDIS_URL = NOWHERE

    services.exit_guard(touched.pk, desk)

    assert len(our_orders(market)) == 1


def test_redis_naming_a_slot_that_core_does_not_own_does_not_block_the_exit(
    touched: GuardedPosition,
    desk: Desk,
    market: SimulatorProcess,
    redis_client: redis.Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="safetynet")
    redis_client.sadd("core_exclusion_set:main", str(touched.slot.key))

    services.exit_guard(touched.pk, desk)

    assert len(our_orders(market)) == 1
    assert f"Safety Net: exit of {touched}: Redis says Core owns the slot" in caplog.messages
    assert "Safety Net: Redis was wrong about BTCUSDT Long: rebuilding the exclusion set" in caplog.messages
    assert exclusions.contains(touched.slot.key) is False


def test_redis_missing_a_slot_that_core_owns_does_not_allow_the_exit(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess, redis_client: redis.Redis
) -> None:
    factories.core_position("BTCUSDT", Side.LONG)
    assert redis_client.smembers("core_exclusion_set:main") == set()

    services.exit_guard(touched.pk, desk)

    assert our_orders(market) == []
    assert exclusions.contains(touched.slot.key) is True


def test_a_broker_that_is_away_does_not_keep_the_exit_waiting(
    poll: Poll, market: SimulatorProcess, broker_away: None, caplog: pytest.LogCaptureFixture
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    poll()
    market.control.price("BTCUSDT", "58000")
    market.control.price("ETHUSDT", "3100")

    report = poll()

    assert len(report.exits_requested) == 2
    assert report.failures == []
    assert {order["symbol"] for order in our_orders(market)} == {"BTCUSDT", "ETHUSDT"}
    assert violations(market) == []
    refusals = [message for message in caplog.messages if "cannot be queued" in message]
    assert len(refusals) == 1, "a broker that is away is not asked again"


def test_an_exit_that_no_worker_has_taken_by_the_next_poll_is_executed_there(
    touched: GuardedPosition, poll: Poll, market: SimulatorProcess
) -> None:
    market.control.price("BTCUSDT", "60000")

    poll()

    assert len(our_orders(market)) == 1
    assert GuardedPosition.objects.get().state == GuardState.CLOSED


def test_a_first_price_beyond_the_stop_exits_at_once(
    poll: Poll, market: SimulatorProcess, redis_client: redis.Redis
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.price("BTCUSDT", "40000")

    report = poll()

    assert (report.opened, len(report.exits_requested)) == (1, 1)
    assert redis_client.llen("exits") == 1


def test_an_exempted_slot_is_not_exited(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess, account: Account
) -> None:
    now = desk.clock()
    exemption = services.exempt(
        slot=touched.slot, until=now + timedelta(hours=1), reason="I am watching it", by="owner", at=now
    )
    guarding.remember_touch(touched, Decimal(58000), now)

    services.exit_guard(touched.pk, desk)
    assert our_orders(market) == []

    services.end_exemption(exemption=exemption, by="owner", at=desk.clock())
    assert len(services.poll(account, desk).exits_requested) == 1


def test_a_lost_answer_is_looked_up_and_sold_once(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    market.control.fault(
        "http_status", path="/sapi/v1/margin/order", method="POST", status=500, after=True, count=1
    )

    services.exit_guard(touched.pk, desk)
    eventually(lambda: _execute(desk))

    assert len(our_orders(market)) == 1
    assert GuardedPosition.objects.get().state == GuardState.CLOSED
    assert violations(market) == []


def _execute(desk: Desk) -> bool:
    execution.execute(OrderIntent.objects.get().pk, desk)
    return OrderIntent.objects.get().state == IntentState.DONE


def test_coins_beside_a_long_are_not_sold_for_what_the_owner_has_sold(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    """Between the poll and the exit; his coins hide it from the balances."""
    market.control.call(
        "POST",
        "account",
        {"api_key": "demo-key", "secret": "demo-secret", "balances": {"BTCUSDT": {"BTC": "0.51"}}},
    )
    market.control.trade("SELL", "0.004", symbol="BTCUSDT")

    services.exit_guard(touched.pk, desk)

    (order,) = our_orders(market)
    assert Decimal(order["executed"]) == Decimal("0.00599")
    assert violations(market) == []
