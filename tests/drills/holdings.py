"""Whose is what the exchange holds: collateral, the owner's own trades, and slots that two share."""

import time
from decimal import Decimal

from celery import current_app
from django.conf import settings
from redis import Redis

from safetynet import exclusions
from safetynet.models import GuardedPosition
from tests.drills.registry import drill
from tests.drills.scene import PRICES, Scene
from tests.drills.settings import POLL_INTERVAL_S as POLL_S
from trading import arming, gateway
from trading.arming import ArmOrder
from trading.domain.lifecycle import PositionState
from trading.domain.stops import StopKind, StopPolicy
from trading.domain.types import Side
from trading.models import Event, Slot

BTC, ETH = "BTCUSDT", "ETHUSDT"
WAVE_S = 8
ORDER = {"path": "margin/order", "method": "POST"}


@drill(13, broke="nothing: base coins brought in as collateral", exits=2)
def collateral_is_not_a_position(scene: Scene) -> None:
    """Only what trades explain is one: a fall leaves the collateral alone, and exits take their own part."""
    for symbol, asset in ((BTC, "BTC"), (ETH, "ETH")):
        scene.deposit(symbol, asset, "0.5")
        scene.price(symbol, PRICES[symbol])
    _polls(scene, 2)
    for symbol in (BTC, ETH):
        scene.price(symbol, PRICES[symbol] * Decimal("0.9"))
    _polls(scene, 2)
    scene.expect("guards of collateral", GuardedPosition.objects.filter(**_mine(scene)).count(), 0)
    scene.expect("orders", scene.orders(), [])
    position, guard = scene.core(BTC), scene.guarded(ETH, quantity="0.2")
    scene.expect("what is guarded", guard.quantity, Decimal("0.1998"))
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.pierce(position)
    scene.pierce(guard)
    scene.closed(position, guard)


@drill(14, broke="nothing: quote coins, and a short from two prices")
def an_entry_price_is_what_the_trades_say(scene: Scene) -> None:
    """Quote balance is no position, and no balance is an entry price."""
    scene.deposit("BNBUSDT", "USDT", "25000")
    scene.price(ETH, Decimal(3_000))
    scene.by_hand("SELL", "0.3", ETH)
    scene.price(ETH, Decimal(3_030))
    scene.by_hand("SELL", "0.2", ETH)
    guards = GuardedPosition.objects.select_related("slot__account").filter(**_mine(scene))
    guard = scene.until(guards.first, "a poll guards the short")
    sold = scene.orders(ETH)
    quote = sum(Decimal(order["quote_executed"]) for order in sold)
    scene.expect("the entry price", guard.entry_price, round(quote / Decimal("0.5"), 12))
    scene.expect("the stop", guard.stop_price, round(guard.entry_price * Decimal("1.02"), 12))
    scene.expect("what is guarded", [one.slot.symbol for one in guards], [ETH])
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.pierce(guard)
    scene.closed(guard)


@drill(16, broke="positions closed, and halved, by hand in the app", exits=2)
def what_the_owner_closed_is_closed_and_its_slot_is_free_again(scene: Scene) -> None:
    """Missing at two looks, then the trades tell: one is closed with their price, the other is reduced."""
    closed, halved = scene.core(BTC), scene.core(ETH)
    before = halved.quantity
    scene.by_hand("SELL", "all", BTC)
    scene.by_hand("SELL", "0.0700", ETH)
    scene.closed(closed, within_s=45)
    scene.expect("the reason", closed.exit_reason, "closed outside Robson")
    told = Event.objects.get(position=closed, kind="position.closed").data["orders"]
    scene.expect("the evidence", told, [str(scene.orders(BTC)[-1]["order_id"])])
    scene.until(lambda: scene.fresh(halved).quantity == before - Decimal("0.07"), "the other is reduced")
    again = scene.core(BTC)
    scene.allow(2, "to exit")
    for position in (again, halved):
        scene.pierce(position)
        scene.closed(position)


@drill(17, broke="nothing: a slot spelt by hand, in other letters", exits=2)
def a_slot_has_one_spelling(scene: Scene) -> None:
    """Database, Redis and command line mean the same row, so that what the owner says reaches the guard."""
    position = scene.core(BTC)
    redis = Redis.from_url(settings.REDIS_URL, decode_responses=True)
    members = redis.smembers(exclusions.set_name(scene.account.name))
    scene.expect("the exclusion set", members, {f"{scene.account.name}:isolated_margin:BTCUSDT:long"})
    scene.expect("arming it once more is refused", scene.robson("arm", "btcusdt"), 1)
    guard = scene.guarded(ETH, Side.SHORT)
    words = ("ethusdt", "--side", "short")
    scene.expect("exempting", scene.robson("exempt", *words, "--reason", "drill"), 0)
    slots = Slot.objects.filter(account=scene.account, symbol=ETH).count()
    scene.expect("slots of the short", slots, 1)
    with scene.outage():
        scene.pierce(guard)
        _polls(scene, 2)
        scene.expect("exits of an exempt slot", scene.exits(ETH), [])
        scene.expect("protecting it again", scene.robson("exempt", *words, "--end"), 0)
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.closed(guard)
    scene.expect("Core's position meanwhile", scene.fresh(position).state, PositionState.ACTIVE)
    scene.pierce(position)
    scene.closed(position)


@drill(21, broke="answer to the entry lost while the poll looks")
def an_entry_on_its_way_has_an_owner(scene: Scene) -> None:
    """Entering is committed before the order is sent: the poll that sees the coins sees their owner, too."""
    scene.price(BTC, PRICES[BTC])
    order = ArmOrder(symbol=BTC, interval="1s", fast_period=2, slow_period=4)
    exchange = gateway.exchange_for(scene.account)
    position = arming.arm(account=scene.account, order=order, exchange=exchange, at=gateway.utc_now())
    scene.stage.exchange.fault("timeout_after_accept", count=1, **ORDER)
    _wave_until_bought(scene)
    scene.expect("the position by then", scene.fresh(position).state, PositionState.ENTERING)
    polls = scene.polls()
    current_app.send_task("safetynet.poll_all", queue="safetynet")
    scene.until(lambda: scene.polls() > polls, "a poll looks meanwhile", within_s=4)
    scene.expect("the position after it", scene.fresh(position).state, PositionState.ENTERING)
    scene.until(lambda: scene.fresh(position).state == PositionState.ACTIVE, "the entry is found")
    told = scene.logged("worker-safetynet", f"(Core-managed position_id={position.pk})")
    scene.expect("the poll skipped it", told, True)
    scene.expect("guards", GuardedPosition.objects.filter(**_mine(scene)).count(), 0)
    best = scene.stage.market.price(BTC) * Decimal("1.001")
    scene.trail(position, best)
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)


@drill(22, broke="nothing: the owner buys more in Core's slot", exits=2)
def a_surplus_is_guarded_beside_the_part_of_core(scene: Scene) -> None:
    """The safety stop closes what the owner bought and nothing of Core's, whose own stop closes the rest."""
    position = scene.core(BTC, stop=StopPolicy(StopKind.PERCENT, Decimal(8)))
    guard = scene.guarded(BTC, quantity="0.01")
    scene.expect("what is guarded", guard.quantity, Decimal("0.00999"))
    scene.expect("beside", guard.beside_position_id, position.pk)
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.pierce(guard)
    scene.closed(guard)
    scene.expect("Core's position meanwhile", scene.fresh(position).state, PositionState.ACTIVE)
    held = gateway.exchange_for(scene.account).margin_pairs([BTC])[BTC].base.net
    scene.expect("Core's part is there", abs(held - position.quantity) < Decimal("0.00001"), True)
    scene.pierce(position)
    scene.closed(position)


def _mine(scene: Scene) -> dict[str, object]:
    return {"slot__account": scene.account}


def _polls(scene: Scene, count: int) -> None:
    """So many polls have looked from here on, from their beginning to their end."""
    polls = scene.polls()
    scene.until(lambda: scene.polls() > polls + count, f"{count} polls")


def _wave_until_bought(scene: Scene) -> None:
    """Down and up again, a few seconds each: at some turn the averages cross, and the consumer enters."""
    began = time.monotonic()

    def bought_by_now() -> bool:
        into = (time.monotonic() - began) % WAVE_S
        scene.price(BTC, PRICES[BTC] + 100 * Decimal(abs(into - WAVE_S / 2)))
        return bool(scene.orders(BTC))

    scene.until(bought_by_now, "the crossover")
