"""Database, broker, or everything is away; and what must not grow for ever."""

import contextlib
import time
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from celery import current_app
from django.conf import settings
from django_celery_beat.models import PeriodicTask
from redis import Redis

from safetynet import exclusions
from safetynet.models import GuardedPosition, PollState
from tests.drills import servers
from tests.drills.registry import EVERYTHING, drill
from tests.drills.scene import PRICES, Scene
from tests.drills.settings import POLL_INTERVAL_S as POLL_S
from trading import gateway
from trading.consumer.process import WARM_S
from trading.exchange.errors import RetryLater
from trading.gateway import utc_now
from trading.models import Event, OrderAttempt

OUTAGE_S = 6.0


@drill(26, broke="everything killed: processes, database, broker", exits=2)
def a_gap_while_everything_was_down_is_acted_on_at_the_first_price(scene: Scene) -> None:
    """Back from nothing, with both markets long through their stops: both exits go out at once, once."""
    position, guard = scene.core(), scene.guarded()
    with scene.outage():
        scene.stage.programs.kill(*EVERYTHING)
        scene.stage.database.kill()
        scene.stage.broker.kill()
        scene.pierce(position)
        scene.pierce(guard)
        time.sleep(2)
        scene.stage.database.start()
        scene.stage.broker.start()
        scene.stage.programs.start(*EVERYTHING)
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.closed(position, guard)


@drill(27, broke="broker killed", revives=True)
def core_exits_without_a_broker(scene: Scene) -> None:
    """The consumer's own executor needs none."""
    position = scene.core()
    scene.stage.broker.kill()
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)


@drill(27, broke="broker killed", revives=True)
def the_safety_net_exits_without_a_broker(scene: Scene) -> None:
    """No worker hears of a poll or of an exit: the consumer runs the poll, and that executes the exit."""
    guard = scene.guarded()
    scene.stage.broker.kill()
    scene.pierce(guard)
    scene.allow(2 * POLL_S + 5 + 2, "two polls missed, 5 s to notice, 2 s to exit")
    scene.closed(guard)
    _polls_come_back(scene)


@drill(28, broke="database killed", exits=2)
def nothing_is_sent_without_a_record(scene: Scene) -> None:
    """While the database is away no order goes out; once it is back, both exits follow by themselves."""
    position, guard = scene.core(), scene.guarded()
    with scene.outage():
        scene.stage.database.kill()
        scene.pierce(position)
        scene.pierce(guard)
        scene.never(scene.exits, "an order without a record", for_s=OUTAGE_S)
        scene.stage.database.start()
    scene.allow(2 * POLL_S + 2, "the poll that failed and the next, 2 s to exit")
    scene.closed(position, guard)
    scene.expect("the alarm", scene.logged("consumer", "the database is away, trying again"), True)


@drill(28, broke="database hangs")
def a_database_that_hangs_delays_the_exit_and_nothing_else(scene: Scene) -> None:
    """The claim waits for its commit. By then its order is too old, and a new one follows at once."""
    position = scene.core()
    with scene.outage():
        scene.stage.database.hang()
        scene.pierce(position)
        scene.never(scene.exits, "an order without a record", for_s=OUTAGE_S)
        scene.stage.database.start()
    scene.allow(5, "to exit")
    scene.closed(position)


def _polls_come_back(scene: Scene) -> None:
    """The workers poll again once the broker is there."""
    scene.stage.broker.start()
    state = PollState.objects.filter(account=scene.account, lease_holder__contains=":safetynet")
    last = state.values_list("last_started_at", flat=True)
    before = last.first()
    scene.until(lambda: state.exists() and last.first() != before, "a worker polls again")


@drill(7, broke="database killed between order and record")
def an_order_whose_record_was_lost_is_found_by_its_name(scene: Scene) -> None:
    """What was sent is on record before it is sent: the order is found and recorded, and none follows it."""
    position = scene.core()
    # The exchange executes at once and answers late, so that the database can go in between.
    scene.stage.exchange.fault("timeout_after_accept", path="margin/order", method="POST", hang_ms=1_500)
    scene.pierce(position)
    scene.until(scene.exits, "the order is executed")
    scene.stage.database.kill()
    time.sleep(3)
    scene.stage.exchange.clear_faults()
    scene.stage.database.start()
    scene.allow(2, "to exit")
    scene.closed(position)


@drill(20, broke="Redis restarted empty", revives=True)
def an_exclusion_set_that_was_lost_is_rebuilt_and_nobody_relied_on_it(scene: Scene) -> None:
    """The database decides: no guard over Core's position at any time, and the next poll rebuilds the set."""
    position = scene.core()
    scene.stage.broker.kill()
    servers.forget_what_redis_kept()
    scene.stage.broker.start()
    redis = Redis.from_url(settings.REDIS_URL, decode_responses=True)
    name = exclusions.set_name(scene.account.name)
    scene.expect("the set after the restart", redis.smembers(name), set())
    owned = {str(position.slot.key)}
    scene.until(lambda: redis.smembers(name) == owned, "the set is rebuilt", within_s=3 * POLL_S)
    polls = scene.polls()
    scene.until(lambda: scene.polls() >= polls + 2, "polls go on")
    scene.expect("guards over Core's position", GuardedPosition.objects.filter(slot=position.slot).count(), 0)
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)


SKEW_S = 10


@drill(24, broke="clocks 10 s apart, in both directions", exits=2)
def a_wrong_clock_is_set_once_and_the_order_signed_again(scene: Scene) -> None:
    """-1021 on every signed call: each connection measures the difference, and carries on."""
    position, guard = scene.core(), scene.guarded()
    scene.stage.exchange.fault("clock_skew_ms", ms=SKEW_S * 1_000)
    scene.pierce(position)
    scene.allow(POLL_S + 3, "one poll, 3 s to exit")
    scene.closed(position)
    scene.stage.exchange.clear_faults()
    cleared = time.monotonic()
    scene.pierce(guard)
    scene.closed(guard)
    # No exchange's clock goes back, but this one's just has: its prices of then are later than those to come,
    # and what the consumer dates itself is ahead of them until it has measured the difference anew.
    settled_s = max(SKEW_S, WARM_S) + 1
    scene.until(
        lambda: time.monotonic() - cleared > settled_s, "the clock is measured again", within_s=2 * settled_s
    )
    retried = Event.objects.filter(slot__account=scene.account, kind="intent.retried")
    refused = list(retried.values_list("intent", "source"))
    scene.expect("there were refusals", bool(refused), True)
    scene.expect("no process is refused twice", len(refused), len(set(refused)))


@drill(25, broke="429 on balances, Retry-After 4 s")
def retry_after_is_honoured(scene: Scene) -> None:
    """Nobody hammers: in three times the span that was named no ban is earned. Then the exit goes out."""
    position = scene.core()
    exchange = scene.stage.exchange
    with scene.outage():
        exchange.fault("http_status", path="margin/isolated/account", status=429, retry_after=4)
        scene.pierce(position)
        scene.never(scene.exits, "an order without a balance", for_s=12)
        struck = exchange.call("GET", "fault")[0]["struck"]
        exchange.clear_faults()
    scene.expect("refused questions in 12 s, from all processes, below 20", struck < 20, True)
    scene.allow(4 + 2, "Retry-After, 2 s to exit")
    scene.closed(position)
    _waited(scene, 4)


@drill(25, broke="this address banned for 6 s")
def a_ban_stops_the_calls_and_is_announced(scene: Scene) -> None:
    """418: no further call before the time that the exchange names, an alarm, and the exit right after it."""
    position = scene.core()
    with scene.outage():
        scene.stage.exchange.fault("ban", seconds=6)
        scene.pierce(position)
        scene.never(scene.exits, "an order during a ban", for_s=6)
    scene.allow(6 + 2, "the rest of the time that was named last, 2 s to exit")
    scene.closed(position)
    scene.expect("the alarm", scene.logged("consumer", "CRITICAL trading.recording"), True)
    _waited(scene, 5)


@drill(25, broke="four fifths of the request budget spent", exits=5)
def exits_have_a_share_of_the_request_budget_that_queries_leave(scene: Scene) -> None:
    """Another program uses the address up: queries stop at 80 %, exits do not."""
    positions = [scene.core(symbol) for symbol in PRICES]
    exchange = gateway.exchange_for(scene.account)
    # Weights are counted by the minute.
    scene.until(lambda: exchange.now_ms() % 60_000 < 35_000, "most of a minute is left")
    with contextlib.suppress(RetryLater):
        while True:
            exchange.margin_pairs()
    scene.allow(2, "to exit")
    for position in positions:
        scene.pierce(position)
        scene.closed(position, within_s=5)


@drill(30, broke="nothing: thousands of prices, events of long ago")
def prices_are_no_events_and_old_events_are_pruned(scene: Scene) -> None:
    """However many prices come, the log tells decisions; the daily task takes what is past its time."""
    position = scene.core()
    before = Event.objects.count()
    with scene.stage.market.flood():
        prices = [Decimal(60_200 + step) for step in range(500)]
        for price in prices:
            scene.price("BTCUSDT", price)
    scene.until(lambda: scene.fresh(position).extreme_price == prices[-1], "the stop follows")
    scene.expect("far fewer events than prices", Event.objects.count() - before < len(prices) / 20, True)
    schedule = PeriodicTask.objects.get(task="trading.prune_events", enabled=True)
    scene.expect("pruning is scheduled", str(schedule.interval), "every day")
    kept = Event.objects.count()
    for age in (401, 500):
        Event.objects.create(kind="account.paused", at=utc_now() - timedelta(days=age), source="drill")
    current_app.send_task("trading.prune_events", queue="default")
    scene.until(lambda: Event.objects.count() <= kept, "old events are gone")
    scene.expect("what is left", Event.objects.count() >= kept, True)
    scene.pierce(position)
    scene.allow(2, "to exit")
    scene.closed(position)


def _waited(scene: Scene, seconds: float) -> None:
    """No attempt follows a refusal of the exchange's before its time.

    One that was held back on this side cost no call: every connection keeps the time that it was told.
    """
    attempts = list(
        OrderAttempt.objects.filter(intent__slot__account=scene.account, intent__purpose="exit").order_by(
            "id"
        )
    )
    scene.expect("a first refusal", "not asked" in attempts[0].error, False)
    for before, after in pairwise(attempts):
        if "not asked" in before.error:
            continue
        gap = (after.created_at - before.created_at).total_seconds()
        scene.expect(f"attempt {after.number} waits", gap >= seconds, True)
