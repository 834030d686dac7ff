"""A manual position from its opening to its end, as the poll follows it on a real exchange process."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError

from robson.local.simulator import SimulatorProcess
from safetynet import guarding, services
from safetynet.models import GuardedPosition, PollState
from tests import factories
from tests.safetynet.support import (
    Poll,
    approximately,
    deposit,
    kinds,
    live_guard,
    our_orders,
    owe_without_a_trade,
)
from trading.domain.episodes import Episode
from trading.domain.lifecycle import GuardState
from trading.domain.types import Side
from trading.execution import Desk
from trading.models import Account, Event

pytestmark = pytest.mark.django_db(transaction=True)


def test_entry_size_and_stop_come_from_the_trades(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.price("BTCUSDT", "61000")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    poll()

    guard = live_guard()
    assert approximately(guard.entry_price, "60500")
    assert guard.quantity == Decimal("0.01998"), "less the commission that was kept in BTC"
    assert guard.stop_price == guard.entry_price * Decimal("0.98")
    assert not guard.entry_is_provisional
    assert kinds() == ["guard.opened"]


def test_the_accounts_own_distance_is_used(poll: Poll, market: SimulatorProcess, account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(safety_stop_percent=Decimal(5))
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    poll()

    assert live_guard().stop_price == live_guard().entry_price * Decimal("0.95")


def test_buying_more_by_hand_recomputes_the_stop_and_says_so(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.price("BTCUSDT", "62000")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    report = poll()

    after = live_guard()
    assert (after.pk, report.recomputed) == (before.pk, 1)
    assert (after.first_trade_id, after.last_trade_id > before.last_trade_id) == (before.first_trade_id, True)
    assert approximately(after.entry_price, "61000")
    assert after.stop_price == after.entry_price * Decimal("0.98")
    event = Event.objects.get(kind="guard.recomputed")
    assert Decimal(event.data["stop_before"]) == before.stop_price
    assert Decimal(event.data["stop"]) == after.stop_price


def test_selling_a_part_by_hand_leaves_the_stop_where_it_was(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.02", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.price("BTCUSDT", "62000")
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")

    poll()

    after = live_guard()
    assert after.pk == before.pk
    assert after.quantity == before.quantity - Decimal("0.01")
    assert after.stop_price == before.stop_price
    assert kinds() == ["guard.opened", "guard.recomputed"]


def test_a_position_closed_by_hand_ends_its_guard_with_evidence(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    market.control.price("BTCUSDT", "61000")
    market.control.trade("SELL", "all", symbol="BTCUSDT")

    report = poll()

    guard = GuardedPosition.objects.get()
    assert (guard.state, guard.end_reason, report.closed) == (GuardState.CLOSED, "closed by hand", 1)
    assert guard.exit_price is not None
    assert approximately(guard.exit_price, "61000")
    assert guard.closed_at is not None
    assert our_orders(market) == []


def test_closed_and_reopened_between_polls_is_another_episode(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    first = live_guard()
    market.control.trade("SELL", "all", symbol="BTCUSDT")
    market.control.price("BTCUSDT", "64000")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    poll()

    second = live_guard()
    first.refresh_from_db()
    assert (first.state, first.end_reason) == (GuardState.CLOSED, "closed by hand")
    assert second.pk != first.pk
    assert approximately(second.entry_price, "64000")


def test_turning_a_long_into_a_short_by_hand_closes_one_guard_and_opens_another(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    market.control.trade("SELL", "all", symbol="BTCUSDT")
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")

    report = poll()

    assert (report.closed, report.opened) == (1, 1)
    assert str(live_guard().slot) == "BTCUSDT Short"


def test_collateral_is_not_a_position(poll: Poll, market: SimulatorProcess) -> None:
    deposit(market, "BTCUSDT", "BTC", "1")

    assert poll().opened == 0
    assert not GuardedPosition.objects.exists()


def test_only_what_trades_explain_is_guarded_beside_collateral(poll: Poll, market: SimulatorProcess) -> None:
    deposit(market, "BTCUSDT", "BTC", "1")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    poll()

    assert live_guard().quantity == Decimal("0.00999")


def test_dust_is_not_a_position(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.00995", symbol="BTCUSDT")

    assert poll().opened == 0


def test_a_debt_that_no_trade_explains_is_guarded_from_the_present_price(
    poll: Poll, market: SimulatorProcess, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    owe_without_a_trade(market, "ETHUSDT", "ETH", "0.5")

    poll()

    guard = live_guard()
    assert (str(guard.slot), guard.entry_is_provisional) == ("ETHUSDT Short", True)
    assert guard.entry_price == Decimal(3000)
    assert guard.stop_price == Decimal(3060)
    assert "the trades do not tell the entry price of ETHUSDT Short" in caplog.text


def test_a_provisional_entry_does_not_follow_the_price(poll: Poll, market: SimulatorProcess) -> None:
    owe_without_a_trade(market, "ETHUSDT", "ETH", "0.5")
    poll()
    market.control.price("ETHUSDT", "3050")
    deposit(market, "ETHUSDT", "USDT", "20000")

    report = poll()

    guard = live_guard()
    assert (report.recomputed, report.failures) == (1, [])
    assert (guard.entry_price, guard.stop_price) == (Decimal(3000), Decimal(3060))
    assert guard.entry_is_provisional, "it still is nobody's price"


def test_a_missing_position_without_a_trade_gets_a_second_look(
    poll: Poll, market: SimulatorProcess, account: Account, desk: Desk
) -> None:
    factories.guard("BTCUSDT", quantity="0.01", last_seen_at=desk.clock())

    assert poll().closed == 0
    assert live_guard().state == GuardState.GUARDING

    later = replace(desk, clock=lambda: desk.clock() + timedelta(seconds=40))
    assert services.poll(account, later).closed == 1
    assert GuardedPosition.objects.get().end_reason == "gone without a trade"


@pytest.mark.parametrize("path", ["/sapi/v1/margin/isolated/account", "/api/v3/ticker/price"])
def test_a_failed_query_is_not_flat(
    poll: Poll, market: SimulatorProcess, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    market.control.fault("http_status", path=path, status=500)

    report = poll()

    assert len(report.failures) == 1
    assert live_guard().state == GuardState.GUARDING
    assert PollState.objects.get().failures_in_a_row == 1
    assert "the poll of main failed" in caplog.text

    market.control.clear_faults()
    assert poll().failures == []
    assert PollState.objects.get().failures_in_a_row == 0


def test_trades_that_cannot_be_read_leave_the_old_stop_in_force(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    market.control.fault("http_status", path="/sapi/v1/margin/myTrades", symbol="BTCUSDT", status=500)
    market.control.price("BTCUSDT", "50000")

    report = poll()

    assert report.exits_requested == [before.pk]
    assert (report.opened, len(report.failures)) == (1, 1), "the other position is guarded nevertheless"
    guard = GuardedPosition.objects.get(pk=before.pk)
    assert (guard.stop_price, guard.quantity) == (before.stop_price, before.quantity)


def test_a_position_older_than_a_day_has_its_real_entry(poll: Poll, market: SimulatorProcess) -> None:
    market.control.fault("clock_skew_ms", ms=-3 * 86_400_000)
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.clear_faults()
    market.control.price("BTCUSDT", "62000")
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    poll()

    guard = live_guard()
    assert approximately(guard.entry_price, "61000")
    assert guard.last_seen_at - guard.opened_at > timedelta(days=2)


def test_a_touch_outlasts_a_change_that_leaves_the_stop_where_it_was(
    poll: Poll, market: SimulatorProcess
) -> None:
    """Sold in part between the touch and the exit, at a price that has come back: what is left still goes."""
    market.control.trade("BUY", "0.02", symbol="BTCUSDT")
    poll()
    market.control.price("BTCUSDT", "58000")
    poll()
    market.control.price("BTCUSDT", "60000")
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")

    poll()

    (order,) = our_orders(market)
    assert Decimal(order["executed"]) == Decimal("0.00998")


def test_a_touch_of_another_stop_is_forgotten_with_it(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    market.control.price("BTCUSDT", "58790")
    poll()
    market.control.price("BTCUSDT", "59500")
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")

    report = poll()

    assert (report.exits_requested, live_guard().touched_price) == ([], None)


def test_bought_and_sold_again_moves_the_stop_and_says_so_although_the_size_is_the_same(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.price("BTCUSDT", "62000")
    market.control.trade("BUY", "0.01001", symbol="BTCUSDT")
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")

    poll()

    assert live_guard().stop_price > before.stop_price
    assert kinds() == ["guard.opened", "guard.recomputed"]


def opened_again(guard: GuardedPosition, quantity: str = "0.01") -> GuardedPosition | None:
    """Guard the same slot once more, from a finding of its own."""
    episode = Episode(
        side=Side.LONG,
        quantity=Decimal(quantity),
        entry_price=Decimal(60_000),
        provisional=False,
        collateral=Decimal(0),
        opened_ms=None,
        first_trade_id=1,
        last_trade_id=1,
    )
    finding = guarding.Finding(episode, Decimal(60_000), "", None, factories.NOON)
    return guarding.open_guard(guard.slot.account, guard.slot.key, finding)


def test_a_slot_that_is_guarded_is_not_guarded_twice(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    assert opened_again(live_guard()) is None
    assert kinds() == ["guard.opened"]


def test_what_else_the_database_refuses_is_not_called_guarded(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    guard = live_guard()
    GuardedPosition.objects.update(state=GuardState.CLOSED)
    with pytest.raises(IntegrityError, match="guarding_implies_a_stop"):
        opened_again(guard, quantity="0")


@pytest.mark.parametrize("beside", ["ETHUSDT", None])
def test_a_pair_that_is_not_spelled_in_ascii_is_guarded_like_any_other(
    poll: Poll, market: SimulatorProcess, beside: str | None
) -> None:
    """Binance lists such pairs, and the owner trades what he likes."""
    market.control.trade("BUY", "1000", symbol="币安人生USDT")
    if beside:
        market.control.trade("BUY", "1", symbol=beside)

    assert poll().failures == []

    guarded = set(GuardedPosition.objects.values_list("slot__symbol", flat=True))
    assert guarded == {"币安人生USDT", *([beside] if beside else [])}
    market.control.price("币安人生USDT", "0.10")
    poll()
    services.exit_guard(GuardedPosition.objects.get(slot__symbol="币安人生USDT").pk)
    assert [order["symbol"] for order in our_orders(market)] == ["币安人生USDT"]
