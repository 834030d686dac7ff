"""What an exit trades: its own part, until flat or dust, and never what is somebody else's."""

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.other_clients import python_binance
from tests.trading.world import SYMBOL, World, fresh, interpose, until
from trading import execution
from trading.domain.types import MarketOrder, OrderReport, Side
from trading.models import Event, Fill, OrderIntent
from trading.reactions import FIRST_DELAY_S

FIRST_PAUSE = timedelta(seconds=FIRST_DELAY_S)


def executed(world: World, side: str) -> Decimal:
    return sum((Decimal(order["executed"]) for order in world.orders(side)), Decimal(0))


def lock(world: World, quantity: str) -> str:
    """The owner's own resting stop takes coins away. Gives its client order id."""
    with python_binance(world.simulator.url) as owner:
        answer = owner.create_margin_order(
            symbol=SYMBOL,
            isIsolated="TRUE",
            side="SELL",
            type="STOP_LOSS_LIMIT",
            timeInForce="GTC",
            quantity=quantity,
            price="49000",
            stopPrice="50000",
            newClientOrderId="owner-stop",
        )
    return str(answer["clientOrderId"])


def unlock(world: World) -> None:
    with python_binance(world.simulator.url) as owner:
        owner.cancel_margin_order(symbol=SYMBOL, isIsolated="TRUE", origClientOrderId="owner-stop")


def test_long_exit_sells_what_was_bought_less_its_commission(world: World) -> None:
    position = world.enter()
    intent = world.settle(world.request_exit(position))
    assert intent.state == "done"
    (sale,) = world.orders("SELL")
    assert sale["side_effect"] == "AUTO_REPAY"
    left = position.quantity - Decimal(sale["executed"])
    assert 0 <= left < Decimal("0.00001")
    assert intent.executed_quantity == Decimal(sale["executed"])
    assert world.violations() == []


@pytest.mark.parametrize("status", ["NEW", "PARTIALLY_FILLED"])
def test_an_order_that_is_not_final_is_looked_up_again_and_nothing_is_sent_in_its_place(
    world: World, status: str
) -> None:
    def send(order: MarketOrder) -> OrderReport:
        report = world.exchange.send_market_order(order)
        return replace(report, status=status, executed_quantity=Decimal(0), fills=())

    intent = world.request_exit(world.enter())
    attempt = execution.take(intent.pk, world.desk)
    assert attempt is not None
    execution.run_attempt(attempt, interpose(world, send_market_order=send))
    assert fresh(intent).state == "unknown"
    assert world.settle(intent).state == "done"
    (sale,) = world.orders("SELL")
    assert fresh(intent).executed_quantity == Decimal(sale["executed"])


def test_short_exit_buys_back_debt_interest_and_fee_and_leaves_zero_debt(world: World) -> None:
    position = world.enter(Side.SHORT)
    assert world.pair().base.debt > position.quantity
    intent = world.settle(world.request_exit(position))
    assert intent.state == "done"
    assert world.pair().base.debt == 0
    assert len(world.orders("BUY")) == 1
    assert world.control.ledger()["leftover_debts"] == []
    assert world.violations() == []


def test_debt_that_the_exchange_did_not_repay_by_itself_is_announced(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The position is flat all the same, and nobody else would look: the debt goes on to cost interest."""
    position = world.enter(Side.SHORT)

    def send(order: MarketOrder) -> OrderReport:
        return world.exchange.send_market_order(replace(order, side_effect="NO_SIDE_EFFECT"))

    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        intent = world.settle(world.request_exit(position), interpose(world, send_market_order=send))
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert (intent.state, world.pair().base.debt > 0) == ("done", True)
    assert "are still owed beside coins that are there" in caplog.text


@pytest.mark.parametrize("side", list(Side))
def test_exit_that_leaves_no_debt_says_nothing_of_one(
    world: World, caplog: pytest.LogCaptureFixture, side: Side
) -> None:
    world.settle(world.request_exit(world.enter(side)))
    assert [record.message for record in caplog.records if record.levelname == "CRITICAL"] == []


def test_short_exit_pays_interest_that_has_grown_beyond_a_lot(world: World) -> None:
    position = world.enter(Side.SHORT)
    ten_days_ms = 10 * 86_400_000
    world.control.fault("clock_skew_ms", ms=ten_days_ms)
    world.exchange.sync_clock()
    assert world.pair().base.interest > Decimal("0.00001")
    world.settle(world.request_exit(position))
    assert world.pair().base.debt == 0
    assert world.violations() == []


def test_grown_interest_is_paid_also_when_the_exit_takes_several_orders(world: World) -> None:
    position = world.enter(Side.SHORT)
    world.control.fault("clock_skew_ms", ms=10 * 86_400_000)
    world.exchange.sync_clock()
    world.control.fault("partial_fill", ratio="0.9", count=1)
    world.settle(world.request_exit(position))
    assert world.pair().base.debt == 0
    assert world.violations() == []


@pytest.mark.parametrize("side", list(Side))
def test_partial_fills_are_followed_by_orders_for_the_rest_until_flat(world: World, side: Side) -> None:
    position = world.enter(side)
    world.control.fault("partial_fill", ratio="0.5", count=2)
    intent = world.settle(world.request_exit(position))
    assert intent.state == "done"
    assert [order["status"] for order in world.orders(side.exit_order)] == ["EXPIRED", "EXPIRED", "FILLED"]
    assert intent.executed_quantity == executed(world, side.exit_order)
    assert abs(world.pair().base.net) < Decimal("0.00002")
    assert world.violations() == []
    kinds = list(Event.objects.filter(intent=intent, kind__contains="filled").values_list("kind", flat=True))
    assert kinds == ["intent.partially_filled", "intent.partially_filled", "intent.filled"]


def test_dust_is_final_and_announced_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    position = world.enter(capital=Decimal(40))
    world.control.fault("partial_fill", ratio="0.8", count=1)
    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        intent = world.settle(world.request_exit(position))
        assert execution.execute(intent.pk, world.later(1000)) is None
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert intent.state == "dust"
    assert len(world.orders("SELL")) == 1
    assert [record.message for record in caplog.records].count(
        f"{intent}: what is left cannot be sold (below the exchange's minimum). Final."
    ) == 1
    assert Event.objects.filter(kind="intent.dust").count() == 1
    position.refresh_from_db()
    assert position.state == "closed"
    assert position.exit_quantity == executed(world, "SELL")


def test_price_that_fell_since_the_trigger_makes_dust_and_no_endless_refusals(world: World) -> None:
    position = world.enter(capital=Decimal(40))
    intent = world.request_exit(position, trigger_price=Decimal(60_000))
    world.control.price(SYMBOL, "12500")
    assert world.settle(intent).state == "dust"
    assert world.orders("SELL") == []


def test_coins_locked_by_the_owners_order_are_waited_for(world: World) -> None:
    position = world.enter()
    lock(world, "0.00757")
    intent = world.request_exit(position)
    asked = world.desk.clock()
    due = execution.execute(intent.pk, world.desk)
    waiting = fresh(intent)
    assert due is not None
    assert due >= asked + FIRST_PAUSE
    assert (waiting.state, waiting.refusals) == ("pending", 1)
    assert [order["client_order_id"] for order in world.orders("SELL")] == ["owner-stop"]
    unlock(world)
    assert world.settle(intent).state == "done"
    assert world.violations() == []


def test_what_is_free_is_sold_while_the_rest_is_locked(world: World) -> None:
    position = world.enter()
    lock(world, "0.004")
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    ours = world.orders("SELL")[1:]
    assert [Decimal(order["executed"]) for order in ours] == [Decimal("0.00357")]
    assert fresh(intent).state == "pending"
    assert fresh(intent).executed_quantity == Decimal("0.00357")
    unlock(world)
    done = world.settle(intent)
    assert (done.state, done.executed_quantity) == ("done", Decimal("0.00757"))


@pytest.fixture
def short_of_money(world: World) -> OrderIntent:
    """The exit of a short of 0.00756 BTC, while an order of the owner's leaves 300 of quote currency free."""
    position = world.enter(Side.SHORT)
    quantity = (world.pair().quote.free - 300) / 40_000
    with python_binance(world.simulator.url) as owner:
        owner.create_margin_order(
            symbol=SYMBOL,
            isIsolated="TRUE",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity=str(quantity.quantize(Decimal("0.00001"))),
            price="40000",
            newClientOrderId="owner-stop",
        )
    return world.request_exit(position)


def bought(world: World) -> list[Decimal]:
    return [Decimal(order["executed"]) for order in world.orders("BUY") if order["type"] == "MARKET"]


def test_a_short_buys_what_the_free_quote_pays_for_and_the_rest_when_it_can(
    world: World, short_of_money: OrderIntent
) -> None:
    exit_id = short_of_money.pk
    until(lambda: execution.execute(exit_id, world.desk) and bought(world))
    (part,) = bought(world)
    assert Decimal("0.0049") < part < Decimal("0.005")
    until(lambda: execution.execute(exit_id, world.desk) and "locked" in fresh(short_of_money).last_error)
    assert bought(world) == [part]

    unlock(world)
    done = world.settle(short_of_money)

    assert (done.state, len(bought(world))) == ("done", 2)
    assert abs(world.pair().base.net) < Decimal("0.00002")
    assert world.violations() == []


def test_a_short_whose_price_cannot_be_asked_is_left_to_the_exchange(
    world: World, short_of_money: OrderIntent
) -> None:
    """Without a price there is no telling what can be paid: nothing may be taken for locked, or for dust."""
    OrderIntent.objects.filter(pk=short_of_money.pk).update(refusals=1)
    world.control.fault("http_status", status=503, path="/api/v3/ticker/price")
    execution.execute(short_of_money.pk, world.desk)
    assert "insufficient balance" in fresh(short_of_money).last_error

    unlock(world)

    assert world.settle(short_of_money).state == "done"
    assert len(bought(world)) == 1


def test_locked_coins_are_asked_for_less_and_less_often_and_ever_louder(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = world.enter()
    lock(world, "0.00757")
    intent = world.request_exit(position)
    OrderIntent.objects.filter(pk=intent.pk).update(refusals=9)
    logging.getLogger("trading").addHandler(caplog.handler)
    try:
        due = execution.execute(intent.pk, world.desk)
    finally:
        logging.getLogger("trading").removeHandler(caplog.handler)
    assert due is not None
    assert 25 < (due - world.desk.clock()).total_seconds() <= 30
    assert any(record.levelname == "CRITICAL" and "locked" in record.message for record in caplog.records)


def test_collateral_beside_a_long_is_not_sold(world: World) -> None:
    position = world.enter()
    world.give_base("1")
    world.settle(world.request_exit(position))
    assert executed(world, "SELL") == Decimal("0.00757")
    assert world.pair().base.net > Decimal("0.99")
    assert world.violations() == []


def test_owners_own_surplus_on_a_short_is_not_bought_back(world: World) -> None:
    position = world.enter(Side.SHORT)
    world.control.trade("SELL", "0.01", symbol=SYMBOL)
    world.settle(world.request_exit(position))
    assert Decimal("0.0099") < world.pair().base.debt < Decimal("0.0101")
    assert world.violations() == []


@pytest.mark.parametrize("side", list(Side))
def test_position_that_the_owner_closed_by_hand_ends_the_exit_without_an_order(
    world: World, side: Side
) -> None:
    position = world.enter(side)
    world.control.trade(side.exit_order, "all", symbol=SYMBOL)
    intent = world.settle(world.request_exit(position))
    assert intent.state == "done"
    assert (intent.executed_quantity, Fill.objects.filter(attempt__intent=intent).count()) == (0, 0)
    assert world.orders(side.exit_order) == []
    position.refresh_from_db()
    assert (position.state, position.exit_price, position.realised_pnl) == ("closed", None, None)
    assert position.exit_reason == "test: found flat"


def test_long_that_the_owner_sold_in_part_sells_only_what_is_left(world: World) -> None:
    position = world.enter()
    world.control.trade("SELL", "0.003", symbol=SYMBOL)
    world.settle(world.request_exit(position))
    assert executed(world, "SELL") == Decimal("0.00457")
    assert world.violations() == []


def test_empty_book_is_asked_again_with_growing_pauses(world: World) -> None:
    position = world.enter()
    world.sim("depth", symbol=SYMBOL, levels=0)
    intent = world.request_exit(position)
    asked = world.desk.clock()
    due = execution.execute(intent.pk, world.desk)
    assert due is not None
    assert due >= asked + FIRST_PAUSE
    assert len(world.orders("SELL")) == 1
    assert fresh(intent).refusals == 1
    world.sim("depth", symbol=SYMBOL, levels=10)
    assert world.settle(intent).state == "done"


def test_exit_does_not_need_the_price_that_would_only_tell_dust(world: World) -> None:
    """A panic has no price of its own, and the public questions have a budget and troubles of their own."""
    position = world.enter()
    world.control.fault("http_status", status=503, path="/api/v3/ticker/price")
    intent = world.request_exit(position)
    execution.execute(intent.pk, world.desk)
    assert fresh(intent).state == "done"
    assert len(world.orders("SELL")) == 1
