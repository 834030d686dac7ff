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
from trading.domain.trailing import is_touched, on_price, trailing_from_entry
from trading.domain.types import Side
from trading.models import Fill, OrderAttempt, Position

# Longer than every lease, fence, grace time and delay of a retry.
ROUND_S = 35
# Sooner than any fence.
SOON_S = 1
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
    if world.bridge.flights:
        world.wait(SOON_S)
        _round(world)
        watcher.look()
    _until_all_is_well(world, watcher)
    sleepers = [executor for executor in world.executors if executor.asleep]
    for executor in sleepers:
        world.wake(executor)
        watcher.look()
    if sleepers:
        _until_all_is_well(world, watcher)


def _until_all_is_well(world: World, watcher: Watcher) -> None:
    for rounds_left in reversed(range(MOST_ROUNDS)):
        if _is_well(world, watcher):
            break
        world.wait(ROUND_S)
        _round(world)
        watcher.look()
        if not rounds_left:
            check_end(world, watcher)
    if world.broker.messages:
        # Whatever is delivered when all is done does nothing.
        world.wait(ROUND_S)
        _deliver(world)
        watcher.look()
        assert not watcher.live_intents


def _is_well(world: World, watcher: Watcher) -> bool:
    """Nothing is on its way, and nothing is left to do."""
    if world.bridge.flights:
        return False
    try:
        check_end(world, watcher)
    except AssertionError:
        return False
    return True


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
    bad = [row for row in watcher.replay.rows if row.table == "position" and row.state not in ENDED]
    assert not bad, bad
    positions = Position.objects.select_related("slot").filter(slot__account=world.account)
    active = list(positions.filter(state=PositionState.ACTIVE))
    guarded = GuardedPosition.objects.select_related("slot").filter(slot__account=world.account)
    guards = list(guarded.filter(state__in=LIVE_GUARD_STATES))
    protected: list[Position | GuardedPosition] = [*active, *guards]
    for held in protected:
        assert not _is_due(held, world.price) or _is_exempt(held, world), f"{held} goes on at {world.price}"
    for position in active:
        assert not _was_touched(position, world), f"{position} goes on although its stop was touched"
    _check_protection(world, active, guards)
    _check_fills(world)


def _is_due(held: Position | GuardedPosition, price: Decimal) -> bool:
    """Whether it should have been closed: its stop is touched, now or before."""
    assert held.stop_price is not None
    if isinstance(held, GuardedPosition) and (held.touched_price or held.state != GuardState.GUARDING):
        return True
    return is_touched(held.slot.position_side, held.stop_price, price)


def _was_touched(position: Position, world: World) -> bool:
    """Whether any price since the entry has touched the stop, as it stood then."""
    entry = Fill.objects.filter(attempt__intent__position=position).latest("traded_at")
    since_ms = round(entry.traded_at.timestamp() * 1000)
    assert position.distance is not None
    assert position.entry_price is not None
    side = position.slot.position_side
    stop = trailing_from_entry(side, position.distance, position.entry_price, since_ms)
    for printed in world.simulator.board.trades(SYMBOL):
        if printed.time_ms > since_ms:
            stop = on_price(stop, printed.price, printed.time_ms).next
    return stop.fired


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
