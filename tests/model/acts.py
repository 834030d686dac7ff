"""What each of Robson's processes does when it is its turn, as plain calls of the real verbs."""

from contextlib import suppress

from safetynet import poll
from tests.model.world import SYMBOL, World
from trading import entry, gateway, operations, queries, reconciliation
from trading.arming import ArmOrder, ArmRefused
from trading.domain.crossover import Signal
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.explain import NotPossible
from trading.models import Position

OWNER = "owner"


def managed(world: World, state: PositionState) -> list[Position]:
    """Core's positions in this state."""
    return [p for p in queries.managed_positions(world.account) if p.state == state]


def arm(world: World, side: Side) -> None:
    """The owner arms a slot."""
    with suppress(ArmRefused):
        operations.arm(account=world.account, order=ArmOrder(symbol=SYMBOL, side=side), by=OWNER)


def signal(world: World, position: Position) -> None:
    """The detector of an armed position fires, or a signal of long ago is delivered again."""
    price, side = world.price, position.slot.position_side
    crossover = Signal(f"{position.pk}:1", SYMBOL, side, world.clock.ms, price, price, price)
    entry.enter(position=position, signal=crossover, desk=gateway.desk_for(world.account))


def open_core(world: World, side: Side) -> None:
    """Arm, and have the crossover come at once; what was armed before gets its crossover now."""
    arm(world, side)
    for position in managed(world, PositionState.ARMED):
        signal(world, position)


def poll_account(world: World) -> None:
    poll.poll(world.account, gateway.desk_for(world.account))


def reconcile(world: World) -> None:
    reconciliation.reconcile(world.account, gateway.desk_for(world.account))


def close(world: World, position: Position) -> None:
    """The operator closes a position of Core's."""
    with suppress(NotPossible):
        operations.hand_over([operations.close_now(position=position, reason="model", by=OWNER)])


def panic(world: World) -> None:
    operations.hand_over(operations.panic(account=world.account, reason="model", by=OWNER))


def resume(world: World) -> None:
    """Entries are allowed again."""
    operations.pause_entries(account=world.account, paused=False, reason="model", by=OWNER)
