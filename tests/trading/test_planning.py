"""What an exit still has to trade, by what is recorded, what is held, and whose the rest of it is."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories
from tests.domain.factories import margin_pair
from tests.trading.world import PRICE, SYMBOL, World, interpose, signal_for
from trading import entry, planning
from trading.domain.exits import ExitPlan, Verdict
from trading.domain.types import MarginPair, OrderReport, OrderSide, Side
from trading.models import Fill, OrderAttempt, OrderIntent
from trading.models.intent import Owner

# More than a lot step, less than a hundredth of the whole exit of 1 BTC.
INTEREST = Decimal("0.005")


def short_exit(owner: Owner, *, bought_back: str) -> OrderIntent:
    """An exit of a short of 1 BTC, a part of which is bought back, in one attempt that is recorded."""
    slot = factories.slot(side=Side.SHORT)
    intent = factories.intent(slot, owner=owner, quantity="1", attempts_made=2, trigger_price=Decimal(60_000))
    if Decimal(bought_back):
        attempt = OrderAttempt.objects.create(
            intent=intent, number=1, client_order_id="first", timestamp_ms=1, order_id="1"
        )
        Fill.objects.create(
            attempt=attempt,
            slot=slot,
            trade_id=1,
            price=Decimal(60_000),
            quantity=Decimal(bought_back),
            commission=Decimal(0),
            commission_asset="USDT",
            traded_at=timezone.now(),
        )
    return intent


def owing(debt: Decimal) -> MarginPair:
    return margin_pair(base_total="0", base_debt=debt)


def planned(world: World, intent: OrderIntent, pair: MarginPair, **details: Any) -> ExitPlan:
    return planning.plan(intent, world.exchange, lambda: pair, **details)


def test_interest_is_still_paid_when_a_part_of_the_debt_is_bought_back_already(world: World) -> None:
    intent = short_exit(Owner.CORE, bought_back="0.9")
    assert planned(world, intent, owing(Decimal("0.1") + INTEREST)).left == Decimal("0.1") + INTEREST


def test_a_debt_beyond_the_whole_of_a_first_order_is_not_taken_for_interest(world: World) -> None:
    intent = short_exit(Owner.CORE, bought_back="0")
    assert planned(world, intent, owing(1 + INTEREST)).left == 1


def test_a_safety_exit_takes_no_debt_beside_its_own_for_interest(world: World) -> None:
    intent = short_exit(Owner.SAFETY_NET, bought_back="0.9")
    assert planned(world, intent, owing(Decimal("0.1") + INTEREST)).left == Decimal("0.1")


@pytest.mark.parametrize(("held", "left"), [("1.5", "0.5"), ("3", "1"), ("1", "0"), ("0.7", "0")])
@pytest.mark.parametrize("side", list(Side))
def test_a_safety_exit_beside_core_trades_what_is_there_beyond_cores_part(
    world: World, side: Side, held: str, left: str
) -> None:
    position = factories.core_position(side=side, quantity=Decimal(1))
    intent = factories.intent(
        position.slot, owner=Owner.SAFETY_NET, quantity="1", trigger_price=Decimal(60_000)
    )
    pair = margin_pair(base_total=held) if side is Side.LONG else owing(Decimal(held))
    assert planned(world, intent, pair).left == Decimal(left)


def test_a_safety_exit_that_is_known_to_be_alone_asks_nobody_again(world: World) -> None:
    intent = factories.intent(
        factories.slot(), owner=Owner.SAFETY_NET, quantity="1", trigger_price=Decimal(60_000)
    )
    assert intent.slot.account.pk, "is at hand when an exit is planned"
    pair = margin_pair(base_total="1")
    with CaptureQueriesContext(connection) as asked:
        assert planned(world, intent, pair, alone=True).verdict is Verdict.SEND
    assert not asked.captured_queries
    with CaptureQueriesContext(connection) as asked:
        assert planned(world, intent, pair).verdict is Verdict.SEND
    assert asked.captured_queries


def test_an_entry_that_is_filled_leaves_nothing_to_plan_and_asks_nothing_more(world: World) -> None:
    position = world.armed()
    calls: list[str] = []

    def balances(symbols: list[str]) -> dict[str, MarginPair]:
        calls.append("balances")
        return dict(world.exchange.margin_pairs(symbols))

    def send(order: Any) -> Any:
        calls.append("order")
        return world.exchange.send_market_order(order)

    desk = interpose(world, margin_pairs=balances, send_market_order=send)
    assert entry.enter(position=position, signal=signal_for(position), desk=desk)
    assert calls[-1] == "order"


@pytest.mark.parametrize(("unsold", "verdict"), [("0.00001", Verdict.DUST), ("0.0000099", Verdict.FLAT)])
def test_what_is_left_of_a_long_is_nothing_only_below_a_lot(
    world: World, unsold: str, verdict: Verdict
) -> None:
    position = world.enter()
    intent = world.request_exit(position)
    sold = position.quantity - Decimal(unsold)
    report = OrderReport(
        SYMBOL, "1", "ours", OrderSide.SELL, "FILLED", "MARKET", sold, sold, sold * PRICE, time_ms=0
    )
    left = planning.left_after(intent, world.exchange, report)
    assert (left.verdict, left.left) == (verdict, Decimal(unsold))


def test_a_price_is_asked_for_once_the_exchange_has_refused_the_known_one(world: World) -> None:
    """It may have fallen so far that only dust is left."""
    intent = factories.intent(factories.slot(), quantity="0.0001", trigger_price=Decimal(60_000))
    pair = margin_pair(base_total="0.0001")
    world.control.price("BTCUSDT", "100")
    assert planned(world, intent, pair).verdict is Verdict.SEND
    intent.refusals = 1
    assert planned(world, intent, pair).verdict is Verdict.DUST
