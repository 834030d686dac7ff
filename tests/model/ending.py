"""The end of an example: all trouble is over, time passes, and everything must have come to a good end."""

from collections import Counter
from decimal import Decimal

from simulator.positions import dust
from safetynet import observing, poll
from safetynet.models import GuardedPosition
from tests.model.bridge import KEY
from tests.model.consumer import Consumer
from tests.model.watcher import Watcher
from tests.model.world import SYMBOL, World
from trading import gateway, reconciliation, tasks
from trading.domain.lifecycle import LIVE_GUARD_STATES, LIVE_INTENT_STATES, GuardState, PositionState
from trading.domain.trailing import is_touched
from trading.domain.types import Side
from trading.models import Fill, OrderAttempt, OrderIntent, Position

# Longer than every lease, fence, grace time and delay of a retry.
ROUND_S = 35
MOST_ROUNDS = 12
ENDED = {PositionState.ARMED, PositionState.ACTIVE, PositionState.CLOSED, PositionState.CANCELLED}


def come_to_rest(world: World, watcher: Watcher) -> None:
    """Run everything that runs by itself until nothing happens any more; whoever slept wakes up late."""
    world.bridge.troubles.clear()
    world.simulator.faults.clear()
    for order in world.simulator.engine.registry.open_orders(KEY, SYMBOL):
        world.simulator.cancel(KEY, SYMBOL, order.order_id)
    if world.consumer is None:
        world.consumer = Consumer(world.account)
    _rounds(world, watcher)
    sleepers = [executor for executor in world.executors if executor.asleep]
    for executor in sleepers:
        world.wake(executor)
        watcher.look()
    if sleepers:
        _rounds(world, watcher)


def _rounds(world: World, watcher: Watcher) -> None:
    for _ in range(MOST_ROUNDS):
        before = watcher.replay.events
        world.wait(ROUND_S)
        _round(world)
        watcher.look()
        live = OrderIntent.objects.filter(slot__account=world.account, state__in=LIVE_INTENT_STATES)
        if watcher.replay.events == before and not live.exists():
            return
    raise AssertionError(f"no rest after {MOST_ROUNDS} rounds: {list(live)}")


def _round(world: World) -> None:
    desk = gateway.desk_for(world.account)
    world.print_price(world.price)
    if world.consumer is not None:
        world.run(world.consumer.work)
    world.run(tasks.sweep)
    _deliver(world)
    world.run(lambda: _no_trouble(poll.poll(world.account, desk).failures))
    _deliver(world)
    world.run(lambda: reconciliation.reconcile(world.account, desk))


def _no_trouble(failures: list[str]) -> None:
    assert not failures, failures


def _deliver(world: World) -> None:
    for message in world.broker.due():
        world.deliver(message)


def check_end(world: World) -> None:
    """Raises AssertionError unless every position came to a good end, or is held and protected."""
    positions = list(Position.objects.select_related("slot").filter(slot__account=world.account))
    guards = list(GuardedPosition.objects.select_related("slot").filter(slot__account=world.account))
    assert {position.state for position in positions} <= ENDED, positions
    for active in (p for p in positions if p.state == PositionState.ACTIVE):
        assert active.stop_price is not None
        assert not is_touched(active.slot.position_side, active.stop_price, world.price), f"{active} goes on"
    exempt = {key.side for key in observing.exempt_slots(world.account, world.clock.now())}
    for guard in (guard for guard in guards if guard.state in LIVE_GUARD_STATES):
        if guard.slot.side in exempt:
            continue
        assert guard.state == GuardState.GUARDING and guard.touched_price is None, f"{guard} goes on"
        assert not is_touched(guard.slot.position_side, guard.stop_price, world.price), f"{guard} goes on"
    _check_fills(world)
    _check_protection(world, positions, guards)


def _check_fills(world: World) -> None:
    """What the exchange executed for Robson, and what Robson has recorded, are the same."""
    executed = {str(o.order_id): o.executed for o, _, _ in world.bridge.executed if o.executed}
    mine = Fill.objects.filter(slot__account=world.account)
    recorded: Counter[str] = Counter()
    for order_id, quantity in mine.values_list("attempt__order_id", "quantity"):
        recorded[order_id] += quantity
    assert dict(recorded) == executed, f"recorded {dict(recorded)}, executed {executed}"
    attempts = OrderAttempt.objects.filter(intent__slot__account=world.account).exclude(order_id="")
    ids = sorted(attempts.values_list("order_id", flat=True))
    known = sorted(str(order.order_id) for order, _, _ in world.bridge.executed)
    assert ids == known, f"recorded {ids}, sent {known}"


def _check_protection(world: World, positions: list[Position], guards: list[GuardedPosition]) -> None:
    """Whatever is there beyond dust is Core's with a stop, or guarded; and nobody guards what is not there."""
    held = world.position
    least = dust(world.simulator.catalog[SYMBOL], world.price)
    for side, there in ((Side.LONG, max(held, Decimal(0))), (Side.SHORT, max(-held, Decimal(0)))):
        core = sum(p.quantity for p in positions if p.state == PositionState.ACTIVE and p.slot.side == side)
        guarded = sum(g.quantity for g in guards if g.state in LIVE_GUARD_STATES and g.slot.side == side)
        slack = least + there / 100
        assert core + guarded >= there - slack, f"{side}: {there} there, {core} Core's, {guarded} guarded"
        assert core + guarded <= there + slack, f"{side}: {there} there, {core} Core's, {guarded} guarded"
