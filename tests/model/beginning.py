"""How examples begin: played once by the real parts, and copied for every further example.

To arm, enter, guard and watch takes as long as all the rest of an example. To have Django write each copy
took a tenth of it, so what is kept are the statements that insert it.
"""

import copy
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext

from safetynet.models import GuardedPosition, PollState
from simulator.orders import Order
from tests.model import acts
from tests.model.stage import Stage
from tests.model.world import World
from trading.domain.client_ids import parse_client_id
from trading.domain.types import Side
from trading.models import Account, Event, Fill, OrderAttempt, OrderIntent, Position, Slot

Play = Callable[[World], None]
Ids = dict[type[models.Model], dict[int, int]]

# What stands where a copy's own ids go: numbers that are nowhere else in the rows.
STAND_INS = re.compile(r"70000000\d{5}")
FIRST_STAND_IN = 7_000_000_000_000


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
    """What a play has left: statements that insert its rows, and its orders.

    Both have stand-ins for ids, the account's first; `new_ids` asks for the others, in their order.
    """

    inserts: str
    new_ids: str
    orders: list[tuple[str, Order]]
    """Each with the name that it is placed under, for what it was when it was placed has changed since."""
    end_ms: int

    @classmethod
    def of(cls, stage: Stage, play: Play) -> "Beginning":
        world = stage.new_world()
        play(world)
        rows = _rows(world.account)
        stand_ins = itertools.count(FIRST_STAND_IN + 1)
        ids: Ids = {model: {row.pk: next(stand_ins) for row in found} for model, found in rows.items()}
        ids[Account] = {world.account.pk: FIRST_STAND_IN}
        orders = world.simulator.engine.registry.orders
        return cls(
            inserts=_inserts([_copy(row, ids) for found in rows.values() for row in found]),
            new_ids=_new_ids(ids),
            orders=[(_name(order.client_order_id, ids), order) for order in orders],
            end_ms=world.clock.ms,
        )

    def copy_into(self, world: World) -> None:
        """The same in a fresh world, under its own account and with ids of its own."""
        with connection.cursor() as cursor:
            cursor.execute(self.new_ids)
            found = cursor.fetchone()
            assert found is not None
            own = {FIRST_STAND_IN + n: made for n, made in enumerate((world.account.pk, *found))}
            cursor.execute(_with_own(self.inserts, own))
        for name, order in self.orders:
            world.clock.ms = order.time_ms
            if order.by_hand:
                world.simulator.place(order.api_key, order.request, by_hand=True)
            else:
                world.bridge.place(replace(order.request, client_order_id=_with_own(name, own)))
        world.clock.ms = self.end_ms


def _rows(account: Account) -> dict[type[models.Model], list[Any]]:
    """All rows of an account, those first that others name."""
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
    return {model: list(found.order_by("pk")) for model, found in rows.items()}


def _inserts(rows: Iterable[models.Model]) -> str:
    """What Django would send for them."""
    with transaction.atomic(), CaptureQueriesContext(connection) as said:
        for row in rows:
            row.save(force_insert=True)
        transaction.set_rollback(True)
    return ";\n".join(each["sql"] for each in said.captured_queries if each["sql"].startswith("INSERT"))


def _new_ids(ids: Ids) -> str:
    """A statement that takes an id for each stand-in from the sequence of its table."""
    taken = [
        f"nextval(pg_get_serial_sequence('{model._meta.db_table}', '{model._meta.pk.column}'))"
        for model, stand_ins in ids.items()
        if model is not Account
        for _ in stand_ins
    ]
    return f"SELECT {', '.join(taken)}"


def _with_own(text: str, own: Mapping[int, int]) -> str:
    return STAND_INS.sub(lambda found: str(own[int(found.group())]), text)


COLUMNS: dict[str, type[models.Model]] = {
    "account_id": Account,
    "slot_id": Slot,
    "position_id": Position,
    "beside_position_id": Position,
    "guard_id": GuardedPosition,
    "intent_id": OrderIntent,
    "attempt_id": OrderAttempt,
}


def _copy(row: Any, ids: Ids) -> Any:
    made = copy.copy(row)
    made.pk, made._state.adding = ids[type(row)][row.pk], True
    for column, model in COLUMNS.items():
        if getattr(made, column, None) is not None:
            setattr(made, column, ids[model][getattr(made, column)])
    if isinstance(made, Position):
        made.signal_id = f"{FIRST_STAND_IN}:{made.signal_id}"
    if isinstance(made, OrderAttempt):
        made.client_order_id = _name(made.client_order_id, ids)
    if isinstance(made, GuardedPosition) and made.beside_position_id:
        mine = f"core {made.beside_position_id} "
        made.seen_balances = made.seen_balances.replace(f"core {row.beside_position_id} ", mine)
    return made


def _name(client_order_id: str, ids: Ids) -> str:
    """The name that an order has once its intent has another id; as it is, if it is not Robson's."""
    named = parse_client_id(client_order_id)
    if named is None:
        return client_order_id
    return str(replace(named, intent_id=ids[OrderIntent][named.intent_id]))
