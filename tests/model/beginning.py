"""How examples begin: played once by the real parts, and copied for every further example.

To arm, enter, guard and watch takes as long as all the rest of an example.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db import models, transaction

from safetynet.models import GuardedPosition, PollState
from simulator.orders import Order
from tests.model import acts
from tests.model.stage import Stage
from tests.model.world import World
from trading.domain.client_ids import parse_client_id
from trading.domain.types import Side
from trading.models import Event, Fill, OrderAttempt, OrderIntent, Position, Slot

Play = Callable[[World], None]
Ids = dict[type[models.Model], dict[int, int]]


def core_enters(side: Side) -> Play:
    """Core has entered."""
    return lambda world: world.run(lambda: acts.open_core(world, side))


def owner_enters(side: Side) -> Play:
    """The owner has opened a position by hand, and it is guarded."""

    def play(world: World) -> None:
        world.by_hand(side.entry_order, "0.01")
        world.run(lambda: acts.poll_account(world))

    return play


def owner_adds_to_core(side: Side) -> Play:
    """The owner has added to what Core holds, and the surplus is guarded."""

    def play(world: World) -> None:
        core_enters(side)(world)
        owner_enters(side)(world)

    return play


@dataclass(frozen=True)
class Beginning:
    """The rows and orders that a play has left."""

    rows: dict[type[models.Model], list[Any]]
    orders: list[Order]
    end_ms: int

    @classmethod
    def of(cls, stage: Stage, play: Play) -> "Beginning":
        world = stage.new_world()
        play(world)
        account = world.account
        rows: dict[type[models.Model], Any] = {
            Slot: Slot.objects.filter(account=account),
            PollState: PollState.objects.filter(account=account),
            Position: Position.objects.filter(slot__account=account),
            GuardedPosition: GuardedPosition.objects.filter(slot__account=account),
            OrderIntent: OrderIntent.objects.filter(slot__account=account),
            OrderAttempt: OrderAttempt.objects.filter(intent__slot__account=account),
            Fill: Fill.objects.filter(slot__account=account),
            Event: Event.objects.filter(slot__account=account),
        }
        found = {model: list(those.order_by("pk")) for model, those in rows.items()}
        return cls(found, list(world.simulator.engine.registry.orders), world.clock.ms)

    def copy_into(self, world: World) -> None:
        """The same in a fresh world, under its own account and with ids of its own."""
        ids: Ids = {}
        with transaction.atomic():
            for model, originals in self.rows.items():
                copies = [_copy(row, ids, world) for row in originals]
                model._default_manager.bulk_create(copies)
                ids[model] = {row.pk: made.pk for row, made in zip(originals, copies, strict=True)}
        for order in self.orders:
            world.clock.ms = order.time_ms
            if order.by_hand:
                world.simulator.place(order.api_key, order.request, by_hand=True)
            else:
                name = _name(order.client_order_id, ids)
                world.bridge.place(replace(order.request, client_order_id=name))
        world.clock.ms = self.end_ms


COLUMNS: dict[str, type[models.Model]] = {
    "slot_id": Slot,
    "position_id": Position,
    "beside_position_id": Position,
    "guard_id": GuardedPosition,
    "intent_id": OrderIntent,
    "attempt_id": OrderAttempt,
}


def _copy(row: Any, ids: Ids, world: World) -> Any:
    made = copy.copy(row)
    made.pk, made._state.adding = None, True
    for column, model in COLUMNS.items():
        if getattr(made, column, None) is not None:
            setattr(made, column, ids[model][getattr(made, column)])
    if isinstance(made, Slot | PollState):
        made.account = world.account
    if isinstance(made, Position):
        made.signal_id = f"{world.account}:{made.signal_id}"
    if isinstance(made, OrderAttempt):
        made.client_order_id = _name(made.client_order_id, ids)
    if isinstance(made, GuardedPosition) and made.beside_position_id:
        mine = f"core {made.beside_position_id} "
        made.seen_balances = made.seen_balances.replace(f"core {row.beside_position_id} ", mine)
    return made


def _name(client_order_id: str, ids: Ids) -> str:
    """The name that an order has once its intent has another id."""
    named = parse_client_id(client_order_id)
    assert named is not None, client_order_id
    return str(replace(named, intent_id=ids[OrderIntent][named.intent_id]))
