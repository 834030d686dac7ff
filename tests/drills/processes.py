"""Processes die, hang, and come twice."""

from decimal import Decimal

from celery import current_app

from tests.drills.registry import drill
from tests.drills.scene import Scene
from trading.models import OrderIntent


@drill(1, broke="consumer killed")
def the_poll_drives_the_stops_of_a_dead_consumer(scene: Scene) -> None:
    """The worker that polls sees the silence, announces it, and evaluates Core's stop on REST prices."""
    position = scene.core()
    scene.stage.programs.kill("consumer")
    scene.pierce(position)
    scene.allow(10 + 5 + 2, "10 s of silence, one poll, 2 s to exit")
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


@drill(23, broke="nothing: two beats, two workers, every task twice")
def everybody_at_once_sends_one_order(scene: Scene) -> None:
    """Two beats, two workers of each kind, and each task delivered several times: one claim, one order."""
    programs = scene.stage.programs
    twins = [programs.start_another(name) for name in ("beat", "worker-exits", "worker-safetynet")]
    guard = scene.guarded()
    scene.allow(5 + 2, "one poll, 2 s to exit")
    scene.pierce(guard)
    scene.until(lambda: scene.fresh(guard).touched_price, "a poll sees the touch")
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
