"""How a guard follows its position from poll to poll: what it keeps, what it says, what it asks for."""

from decimal import Decimal

import pytest

from robson.local.simulator import SimulatorProcess
from safetynet import inspecting
from tests import factories
from tests.safetynet.support import Poll, approximately, deposit, kinds, live_guard, owe_without_a_trade
from trading import journal
from trading.domain.episodes import Episode
from trading.domain.lifecycle import GuardState
from trading.domain.types import Side

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_poll_marks_what_it_has_seen_and_at_what_price(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.price("BTCUSDT", "60500")

    poll()

    after = live_guard()
    assert (before.last_price, after.last_price) == (Decimal(60_000), Decimal(60_500))
    assert after.last_seen_at > before.last_seen_at


def test_a_change_that_nobody_would_notice_is_followed_without_an_event(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    deposit(market, "BTCUSDT", "USDT", "20000")

    assert poll().recomputed == 1
    assert live_guard().seen_balances != before.seen_balances
    assert kinds() == ["guard.opened"]


def test_a_provisional_entry_gives_way_to_the_one_that_the_trades_tell(
    poll: Poll, market: SimulatorProcess
) -> None:
    owe_without_a_trade(market, "ETHUSDT", "ETH", "0.5")
    poll()
    provisional = live_guard()
    market.control.price("ETHUSDT", "3050")
    market.control.trade("SELL", "0.6", symbol="ETHUSDT")

    assert poll().failures == []

    guard = live_guard()
    assert (guard.pk, guard.entry_is_provisional) == (provisional.pk, False)
    assert approximately(guard.entry_price, "3050")
    assert guard.stop_price == guard.entry_price * Decimal("1.02")
    assert (provisional.first_trade_id, guard.first_trade_id) == (None, guard.last_trade_id)


def test_an_entry_that_is_known_outlasts_a_change_that_no_trade_explains(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    poll()
    before = live_guard()
    market.control.price("ETHUSDT", "3050")
    owe_without_a_trade(market, "ETHUSDT", "ETH", "0.6")

    assert poll().failures == []

    after = live_guard()
    assert after.quantity > Decimal("1.1"), "with the first interest"
    assert (after.entry_price, after.stop_price) == (before.entry_price, before.stop_price)
    assert (after.first_trade_id, after.entry_is_provisional) == (before.first_trade_id, False)


def test_a_change_whose_event_cannot_be_written_is_not_followed(
    poll: Poll, market: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    before = live_guard()
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(journal, "append", full)
        (failure,) = poll().failures

    assert "disk full" in failure
    assert live_guard().quantity == before.quantity
    assert poll().recomputed == 1, "it is looked at again"


def test_a_position_older_than_a_day_is_followed_from_its_first_trade(
    poll: Poll, market: SimulatorProcess, calls: list[str]
) -> None:
    """Its whole history, which only its first look needs, may be a thousand trades a page."""
    market.control.fault("clock_skew_ms", ms=-3 * 86_400_000)
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.clear_faults()
    poll()
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    calls.clear()

    assert poll().recomputed == 1
    assert calls.count("trades") == 1


def test_a_position_that_was_sold_but_for_dust_is_closed(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    guard = live_guard()
    market.control.price("BTCUSDT", "64000")
    market.control.trade("SELL", "0.00995", symbol="BTCUSDT")

    assert poll().closed == 1

    guard.refresh_from_db()
    assert (guard.state, guard.end_reason) == (GuardState.CLOSED, "closed by hand")
    assert guard.exit_price is not None
    assert approximately(guard.exit_price, "64000")


def test_what_was_sold_before_is_no_part_of_the_price_that_the_rest_was_closed_at(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.02", symbol="BTCUSDT")
    poll()
    guard = live_guard()
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")
    poll()
    market.control.price("BTCUSDT", "64000")
    market.control.trade("SELL", "all", symbol="BTCUSDT")

    assert poll().closed == 1

    guard.refresh_from_db()
    assert guard.exit_price is not None
    assert approximately(guard.exit_price, "64000")


def test_what_is_traded_after_reopening_is_no_part_of_the_price_it_was_closed_at(
    poll: Poll, market: SimulatorProcess
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    first = live_guard()
    market.control.trade("SELL", "all", symbol="BTCUSDT")
    market.control.price("BTCUSDT", "64000")
    market.control.trade("BUY", "0.03", symbol="BTCUSDT")
    market.control.trade("SELL", "0.01", symbol="BTCUSDT")

    report = poll()

    first.refresh_from_db()
    assert (report.closed, report.opened) == (1, 1)
    assert first.exit_price is not None
    assert approximately(first.exit_price, "60000")


@pytest.mark.parametrize(
    ("seen", "began", "another"),
    [(0, 5, False), (1, 5, True), (4, 5, True), (5, 5, False), (9, 5, False), (9, None, False)],
)
def test_what_began_after_the_last_trade_of_a_guard_is_another_position(
    transactional_db: None, seen: int, began: int | None, another: bool
) -> None:
    episode = Episode(
        side=Side.LONG,
        quantity=Decimal("0.01"),
        entry_price=None if began is None else Decimal(60_000),
        provisional=began is None,
        collateral=Decimal(0),
        opened_ms=None,
        first_trade_id=began,
        last_trade_id=began,
    )
    assert inspecting.is_another(factories.guard(last_trade_id=seen), episode) is another
