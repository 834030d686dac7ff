"""The end of an example: all trouble is over, time passes, and everything must have come to a good end."""

from decimal import Decimal

from django.db.models import Sum

from safetynet import observing, poll
from safetynet.models import GuardedPosition
from simulator.positions import dust
from tests.model.bridge import KEY
from tests.model.consumer import Consumer
from tests.model.watcher import Watcher
from tests.model.world import SYMBOL, World
from trading import gateway, reconciliation, tasks
from trading.domain.lifecycle import LIVE_GUARD_STATES, GuardState, PositionState
from trading.domain.trailing import is_touched
from trading.domain.types import Side
from trading.models import OrderAttempt, Position

# Longer than every lease, fence, grace time and delay of a retry.
ROUND_S = 35
MOST_ROUNDS = 8
ENDED = {PositionState.ARMED, PositionState.ACTIVE, PositionState.CLOSED, PositionState.CANCELLED}


def come_to_rest(world: World, watcher: Watcher) -> None:
    """Everything runs by itself until all is well; then whoever slept wakes up, and all is still well.

    Raises AssertionError if it never is.
    """
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
    for last in range(MOST_ROUNDS):
        world.wait(ROUND_S)
        _round(world)
        watcher.look()
        try:
            check_end(world, watcher)
        except AssertionError:
            if last == MOST_ROUNDS - 1:
                raise
        else:
            if not world.broker.messages:
                return


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


def check_end(world: World, watcher: Watcher) -> None:
    """Raises AssertionError unless every position came to a good end, or is held and protected."""
    assert not watcher.live_intents, f"intents {watcher.live_intents} are live"
    positions = list(Position.objects.select_related("slot").filter(slot__account=world.account))
    guards = list(
        GuardedPosition.objects.select_related("slot").filter(
            slot__account=world.account, state__in=LIVE_GUARD_STATES
        )
    )
    assert {position.state for position in positions} <= ENDED, positions
    active = [position for position in positions if position.state == PositionState.ACTIVE]
    protected: list[Position | GuardedPosition] = [*active, *guards]
    for held in protected:
        assert not _is_due(held, world.price) or _is_exempt(held, world), f"{held} goes on at {world.price}"
    _check_protection(world, active, guards)
    _check_fills(world)


def _is_due(held: Position | GuardedPosition, price: Decimal) -> bool:
    """Whether it should have been closed: its stop is touched, now or before."""
    assert held.stop_price is not None
    if isinstance(held, GuardedPosition) and (held.touched_price or held.state != GuardState.GUARDING):
        return True
    return is_touched(held.slot.position_side, held.stop_price, price)


def _is_exempt(held: Position | GuardedPosition, world: World) -> bool:
    exempt = observing.exempt_slots(world.account, world.clock.now())
    return isinstance(held, GuardedPosition) and held.slot.key in exempt


def _check_fills(world: World) -> None:
    """What the exchange executed for Robson, and what Robson has recorded, are the same."""
    executed = {str(order.order_id): order.executed for order, _ in world.bridge.executed}
    attempts = OrderAttempt.objects.filter(intent__slot__account=world.account).exclude(order_id="")
    found = attempts.values_list("order_id").annotate(quantity=Sum("fills__quantity", default=Decimal(0)))
    recorded = dict(found)
    assert recorded == executed, f"recorded {recorded}, executed {executed}"


def _check_protection(world: World, active: list[Position], guards: list[GuardedPosition]) -> None:
    """Whatever is there beyond dust is Core's, with a stop, or guarded; nobody guards what is not."""
    held = world.bridge.held(SYMBOL)
    least = dust(world.simulator.catalog[SYMBOL], world.price)
    for side, there in ((Side.LONG, max(held, Decimal(0))), (Side.SHORT, max(-held, Decimal(0)))):
        core = sum(p.quantity for p in active if p.slot.side == side)
        guarded = sum(g.quantity for g in guards if g.slot.side == side)
        slack = least + there / 100
        assert core + guarded >= there - slack, f"{side}: {there} there, {core} Core's, {guarded} guarded"
        assert core + guarded <= there + slack, f"{side}: {there} there, {core} Core's, {guarded} guarded"
