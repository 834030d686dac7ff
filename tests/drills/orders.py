"""Answers that are lost, late, empty or refusals; fills that are partial; coins that are locked."""

import time
from collections import Counter
from decimal import Decimal

from django.conf import settings
from django.db import connection

from tests.drills.registry import drill
from tests.drills.scene import PRICES, Scene
from tests.drills.settings import POLL_INTERVAL_S as POLL_S
from trading import gateway, operations
from trading.arming import ArmOrder, preview
from trading.domain.client_ids import client_order_id
from trading.domain.rounding import floor_to_step
from trading.domain.types import Side
from trading.models import Event, OrderAttempt, OrderIntent, Position

SYMBOL = "BTCUSDT"
ORDER = {"path": "margin/order", "method": "POST"}
FENCE_S = 3 + 10
ANSWER_S = 5


@drill(4, broke="position closed by hand as its stop is touched", exits=0)
def an_exit_of_what_is_gone_ends_without_an_order(scene: Scene) -> None:
    """Already gone is looked up, not tried: nothing is sent or refused, and the log says found flat."""
    position = scene.core()
    scene.by_hand("SELL", "all", SYMBOL)
    scene.price(SYMBOL, scene.beyond_the_stop(position))
    scene.closed(position, within_s=5)
    scene.expect("the reason", position.exit_reason, "trailing stop: found flat")
    scene.expect("refusals", scene.refusals(), [])


@drill(4, broke="exits refused with -2010")
def equal_refusals_do_not_repeat_in_a_loop(scene: Scene) -> None:
    """Each refusal doubles the wait, and the balances are read again before each attempt."""
    position = scene.core()
    with scene.outage():
        scene.stage.exchange.fault("error_code", code=-2010, symbol=SYMBOL, **ORDER)
        scene.pierce(position)
        scene.never(scene.exits, "an order", for_s=5)
        scene.stage.exchange.clear_faults()
    scene.expect("at most 6 attempts in 5 s", len(_exit_attempts(scene)) <= 6, True)
    scene.allow(6.4 + 2, "the longest wait after 6 refusals, 2 s to exit")
    scene.closed(position)


@drill(5, broke="answers FILLED with price 0 and no fills")
def prices_come_from_trades_where_an_answer_has_none(scene: Scene) -> None:
    """An entry and an exit answered so are recorded as what they were, and the position stays Core's."""
    scene.price(SYMBOL, PRICES[SYMBOL])
    order_id = scene.rest_by_hand("BUY", "0.0002", SYMBOL, price="30000")["order_id"]
    exchange = gateway.exchange_for(scene.account)
    exchange.cancel_order(SYMBOL, scene.orders()[0]["client_order_id"])
    quantity = preview(account=scene.account, order=ArmOrder(symbol=SYMBOL), exchange=exchange).quantity
    _answer_without_a_price(scene, _name(_next_intent(), "entry"), order_id + 1, "BUY", quantity)
    position = scene.core()
    polls = scene.polls()
    scene.until(lambda: scene.polls() >= polls + 2, "two polls look at it")
    scene.expect("the entry price", position.entry_price, _average(scene, order_id + 1))
    intent = operations.close_now(position=position, reason="drill", by="owner")
    sold = floor_to_step(position.quantity, exchange.symbol_rules(SYMBOL).lot_step)
    _answer_without_a_price(scene, _name(intent.pk, "exit"), order_id + 2, "SELL", sold)
    operations.hand_over([intent])
    scene.closed(position)
    scene.expect("the exit price", position.exit_price, _average(scene, order_id + 2))
    unclear = Event.objects.filter(slot__account=scene.account, kind="intent.unknown")
    scene.expect("answers that were not understood at all", unclear.count(), 0)


@drill(6, broke="answer lost, order executed")
def a_lost_answer_is_looked_up_and_nothing_is_sent_again(scene: Scene) -> None:
    """The order is found by its name: sold once."""
    position = scene.core()
    scene.stage.exchange.fault("timeout_after_accept", count=1, **ORDER)
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)


@drill(6, broke="answer lost, order not executed")
def an_order_that_was_lost_is_sent_again_at_once_where_that_is_harmless(scene: Scene) -> None:
    """All coins in the pair are the exit's own: the exchange itself would refuse to sell them twice."""
    position = scene.core()
    scene.stage.exchange.fault("timeout_before_accept", count=1, **ORDER)
    scene.pierce(position)
    scene.allow(ANSWER_S + 3, "5 s without an answer, 3 s to look it up and exit")
    scene.closed(position)


@drill(6, broke="order of a short held up for 8 s")
def an_order_that_may_still_come_is_waited_for(scene: Scene) -> None:
    """A second purchase would not be harmless: it waits until the exchange must have refused the first."""
    position = scene.core(side=Side.SHORT)
    scene.stage.exchange.fault("late_accept", delay_ms=8_000, count=1, **ORDER)
    scene.pierce(position)
    scene.allow(FENCE_S + 3, "the fence of 13 s, 3 s to look it up and exit")
    scene.closed(position)
    sent = [attempt.created_at for attempt in _exit_attempts(scene)]
    scene.expect("attempts", len(sent), 2)
    scene.expect("the fence between them", (sent[1] - sent[0]).total_seconds() >= FENCE_S, True)


@drill(8, broke="first three exits refused")
def failed_attempts_are_history_and_the_next_is_a_new_one(scene: Scene) -> None:
    """Neither the guard nor its intent is stuck: three attempts stay on record, and the fourth is another."""
    guard = scene.guarded()
    scene.stage.exchange.fault("error_code", code=-2010, count=3, **ORDER)
    scene.pierce(guard)
    scene.allow(POLL_S + 1.4 + 3, "one poll, waits of 0.2, 0.4 and 0.8 s, 3 s to exit")
    scene.closed(guard)
    statuses = [attempt.status for attempt in _exit_attempts(scene)]
    scene.expect("the attempts", statuses, ["not_executed"] * 3 + ["executed"])


@drill(9, broke="answer lost, and the consumer killed")
def another_process_finds_the_order_by_the_same_name(scene: Scene) -> None:
    """The name is a function of intent and attempt: whoever knows the intent can look the order up."""
    position = scene.core()
    scene.stage.exchange.fault("timeout_after_accept", count=1, **ORDER)
    scene.pierce(position)
    scene.until(scene.exits, "the order is executed")
    scene.stage.programs.kill("consumer")
    scene.allow(2, "to exit")
    scene.closed(position)
    (order,), intent = scene.exits(), OrderIntent.objects.get(position=position, purpose="exit")
    scene.expect("the name", order["client_order_id"], _name(intent.pk, "exit"))
    told = Event.objects.get(intent=intent, kind="intent.filled").source
    scene.expect("who recorded it", told.partition(":")[0], "exits")


@drill(10, broke="exit filled by 40 %, the rest expired", exits=2)
def a_partial_fill_counts_and_the_rest_is_sent_again(scene: Scene) -> None:
    """What was sold is sold, and the next attempt is for what is left."""
    position = scene.core()
    scene.stage.exchange.fault("partial_fill", ratio="0.4", count=1, symbol=SYMBOL)
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)
    scene.expect(
        "first and second order", [order["status"] for order in scene.exits()], ["EXPIRED", "FILLED"]
    )


@drill(11, broke="exit filled but for dust")
def dust_is_final_and_told_once(scene: Scene) -> None:
    """What is below the exchange's minimum ends the exit: no further order, no alarm, no guard over it."""
    position = scene.core()
    scene.stage.exchange.fault("partial_fill", ratio="0.995", count=1, symbol=SYMBOL)
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)
    polls = scene.polls()
    scene.until(lambda: scene.polls() >= polls + 2, "polls go on")
    told = Counter(Event.objects.filter(position=position).values_list("kind", flat=True))
    scene.expect("events of dust", told["intent.dust"], 1)
    scene.expect("attempts", len(_exit_attempts(scene)), 1)


@drill(12, broke="half of the coins locked by an order of the owner's", exits=2)
def a_resting_order_of_the_owner_is_left_alone_and_told(scene: Scene) -> None:
    """What is free is sold at once. The rest is announced, and sold once the owner takes his order back."""
    position = scene.core()
    resting = scene.rest_by_hand("SELL", "0.004", SYMBOL, price="70000")
    scene.pierce(position)
    scene.until(scene.exits, "what is free is sold", within_s=5)
    with scene.outage():
        scene.until(lambda: scene.logged("consumer", "locked by a resting order"), "it is announced")
        time.sleep(POLL_S)
        scene.expect("the owner's order", scene.orders()[-2]["status"], "NEW")
        gateway.exchange_for(scene.account).cancel_order(SYMBOL, resting["client_order_id"])
    scene.allow(13, "the longest wait after this many tries")
    scene.closed(position)


@drill(15, broke="exits refused until the alarm is loud")
def panic_is_loud_and_slow_and_not_the_end(scene: Scene) -> None:
    """Six failures in a row are critical, and not the end."""
    position = scene.core()
    with scene.outage():
        scene.stage.exchange.fault("error_code", code=-2010, symbol=SYMBOL, **ORDER)
        scene.pierce(position)
        scene.until(lambda: scene.logged("consumer", "failed 6 times in a row"), "the alarm", within_s=15)
        scene.stage.exchange.clear_faults()
    scene.allow(6.4 + 2, "the wait after 6 failures, 2 s to exit")
    scene.closed(position)


@drill(18, broke="nothing: quantities and prices with odd decimals", exits=4)
def what_is_sent_fits_the_exchange_at_once(scene: Scene) -> None:
    """Quantities are cut to the lot step, stops compare without rounding: the exchange refuses nothing."""
    rows: list[Position] = []
    for symbol, side in (
        ("BNBUSDT", Side.LONG),
        ("SOLUSDT", Side.SHORT),
        ("LTCUSDT", Side.LONG),
        (SYMBOL, Side.SHORT),
    ):
        rows.append(
            scene.core(symbol, side, capital=Decimal("777.77"), at=PRICES[symbol] * Decimal("1.01337"))
        )
    scene.allow(2, "to exit")
    for row in rows:
        scene.pierce(row)
    scene.closed(*rows)
    scene.expect("refusals", scene.refusals(), [])


def _exit_attempts(scene: Scene) -> list[OrderAttempt]:
    mine = OrderAttempt.objects.filter(intent__slot__account=scene.account, intent__purpose="exit")
    return list(mine.order_by("created_at"))


def _next_intent() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value + is_called::int FROM trading_orderintent_id_seq")
        row: tuple[int] = cursor.fetchone()
    return row[0]


def _average(scene: Scene, order_id: int) -> Decimal:
    order = next(order for order in scene.orders() if order["order_id"] == order_id)
    return round(Decimal(order["quote_executed"]) / Decimal(order["executed"]), 12)


def _name(intent_id: int, purpose: str) -> str:
    return client_order_id(intent_id, 1, purpose=purpose, tag=settings.INSTALLATION_TAG)


def _answer_without_a_price(scene: Scene, name: str, order_id: int, side: str, quantity: Decimal) -> None:
    """The next order is executed, and answered as FILLED without a price or fills."""
    body = {
        "symbol": SYMBOL,
        "orderId": order_id,
        "clientOrderId": name,
        "isIsolated": True,
        "transactTime": int(time.time() * 1000),
        "price": "0",
        "origQty": f"{quantity:f}",
        "executedQty": f"{quantity:f}",
        "cummulativeQuoteQty": "0",
        "status": "FILLED",
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": side,
        "fills": [],
    }
    scene.stage.exchange.fault("http_status", status=200, after=True, body=body, count=1, **ORDER)
