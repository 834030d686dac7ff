"""Processes die, hang, and come twice."""

import random
import time
from decimal import Decimal

from celery import current_app

from tests.drills.registry import drill
from tests.drills.scene import Scene
from tests.drills.settings import POLL_INTERVAL_S as POLL_S
from trading.models import OrderIntent


@drill(1, broke="consumer killed")
def the_poll_drives_the_stops_of_a_dead_consumer(scene: Scene) -> None:
    """The worker that polls sees the silence, announces it, and evaluates Core's stop on REST prices."""
    position = scene.core()
    scene.stage.programs.kill("consumer")
    scene.pierce(position)
    scene.allow(10 + POLL_S + 2, "10 s of silence, one poll, 2 s to exit")
    scene.closed(position)
    scene.expect("the reason", position.exit_reason, "trailing stop (watchdog)")


@drill(1, broke="consumer killed, polls off")
def a_restarted_consumer_rebuilds_the_peak_and_looks_at_the_price_at_once(scene: Scene) -> None:
    """A peak that nobody saw raises the stop, and a price that is through that stop by then is acted on."""
    position = scene.core()
    with scene.outage():
        scene.stage.programs.kill("consumer", "beat")
        for price in (61_000, 61_500, 61_200):
            scene.price("BTCUSDT", Decimal(price))
        distance = position.distance or Decimal(0)
        scene.touch("BTCUSDT", Decimal(61_500) - distance - 1)
        scene.stage.programs.start("consumer")
    scene.allow(5, "the consumer asks for what it missed")
    scene.closed(position)
    scene.expect("the reason", position.exit_reason, "trailing stop")
    scene.expect("the peak", position.extreme_price, Decimal(61_500))


@drill(1, broke="consumer hung, later awake again")
def a_consumer_that_wakes_up_sends_nothing_twice(scene: Scene) -> None:
    """While it hangs the poll exits for it. Awake, it reads of the fall itself, and sends nothing."""
    position = scene.core()
    scene.stage.programs.hang("consumer")
    scene.pierce(position)
    scene.allow(10 + POLL_S + 2, "10 s of silence, one poll, 2 s to exit")
    scene.closed(position)
    scene.stage.programs.resume("consumer")
    scene.never(lambda: len(scene.exits()) > 1, "a second exit", for_s=3)


@drill(23, broke="nothing: two beats, two workers, every task twice")
def everybody_at_once_sends_one_order(scene: Scene) -> None:
    """Two beats, two workers of each kind, and each task delivered several times: one claim, one order."""
    programs = scene.stage.programs
    twins = [programs.start_another(name) for name in ("beat", "worker-exits", "worker-safetynet")]
    guard = scene.guarded()
    scene.allow(POLL_S + 2, "one poll, 2 s to exit")
    scene.pierce(guard)
    scene.touch_seen(guard)
    for _ in range(20):
        current_app.send_task("safetynet.exit_guard", args=(guard.pk,), queue="exits")
        current_app.send_task("safetynet.poll_all", queue="safetynet")
    scene.closed(guard)
    intent = OrderIntent.objects.get(guard_id=guard.pk)
    for _ in range(20):
        current_app.send_task("trading.execute_intent", args=(intent.pk,), queue="exits")
    polls = scene.polls()
    scene.until(lambda: scene.polls() > polls + 1, "polls go on")
    programs.stop(*twins)


@drill(3, broke="polling worker killed")
def polls_that_stop_are_announced_and_the_consumer_runs_them(scene: Scene) -> None:
    """Nobody polls for two intervals: the consumer says so and polls itself."""
    guard = scene.guarded()
    scene.stage.programs.kill("worker-safetynet")
    scene.pierce(guard)
    scene.allow(2 * POLL_S + 5 + 2, "two polls missed, 5 s to notice, 2 s to exit")
    scene.closed(guard)
    scene.expect("the alarm", scene.logged("consumer", "no poll has run for"), True)


@drill(29, broke="consumer killed in the middle of exits", exits=4)
def a_consumer_killed_at_any_moment_of_an_exit_leaves_one_order(scene: Scene) -> None:
    """Killed some ms after the touch, four times: whoever comes next finds what was committed, or sent."""
    chance = random.SystemRandom()
    positions = [scene.core(symbol) for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT")]
    scene.allow(20 + 2 + 3, "a lease of 20 s, 2 s to the sweep, 3 s to exit")
    for position in positions:
        scene.pierce(position)
        time.sleep(chance.uniform(0, 0.06))
        with scene.outage():
            scene.stage.programs.kill("consumer")
            scene.stage.programs.start("consumer")
        scene.closed(position)


@drill(29, broke="workers killed in the middle of exits", exits=3)
def a_worker_killed_at_any_moment_of_an_exit_leaves_one_order(scene: Scene) -> None:
    """Poll and exit are killed a few ms after the touch is seen, three times."""
    chance = random.SystemRandom()
    guards = [scene.guarded(symbol) for symbol in ("ETHUSDT", "BNBUSDT", "SOLUSDT")]
    scene.allow(
        POLL_S + 20 + 2 + 3,
        "one poll to see it, a lease of 20 s, 2 s to the sweep, 3 s to exit",
    )
    for guard in guards:
        scene.pierce(guard)
        scene.touch_seen(guard, within_s=50)
        time.sleep(chance.uniform(0, 0.06))
        with scene.outage():
            scene.stage.programs.kill("worker-exits", "worker-safetynet")
            scene.stage.programs.start("worker-exits", "worker-safetynet")
        scene.closed(guard, within_s=50)
