"""What the poll decides about one slot, given what it has learned. Pure: no Django, no I/O, no clock."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.stops import is_touched
from trading.domain.types import SlotKey

ZERO = Decimal(0)


class Ownership(StrEnum):
    """Whose a slot is. UNKNOWN (the question failed) is never taken for NOT_OWNED."""

    OWNED = "owned"
    NOT_OWNED = "not_owned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CorePart:
    """What Core owns in a slot; `quantity` in base currency, 0 while its entry is on its way."""

    position_id: int
    state: PositionState
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class GuardView:
    """A live guard, as far as decisions need it. Prices in quote currency.

    `balances` are those that its numbers were derived from. `beside` is the Core position that it is the
    surplus beside of, None for a slot that was not Core's. `touched`: its stop has been touched before.
    """

    guard_id: int
    state: GuardState
    stop: Decimal
    balances: str
    beside: int | None = None
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """One slot at one poll.

    `held`: base currency on this side, Core's part included; 0 when there is nothing. `balances`: text that
    changes with every trade, transfer, charge and change of owner. `dismissed`: these very balances have been
    looked into, and are no position. `price`: quote currency, None if the exchange gave none.
    """

    slot: SlotKey
    ownership: Ownership
    held: Decimal = ZERO
    balances: str = ""
    dismissed: bool = False
    core: CorePart | None = None
    guard: GuardView | None = None
    price: Decimal | None = None
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """Core's: keep off."""

    position_id: int


@dataclass(frozen=True, slots=True)
class LeaveAlone:
    """Nobody can say whose it is, and it is not guarded yet: start nothing."""


@dataclass(frozen=True, slots=True)
class KeepEnforcing:
    """Guarded, and as it was at the last look."""

    guard_id: int


@dataclass(frozen=True, slots=True)
class Look:
    """New or changed: derive it from the trades, then guard it, recompute its guard, or dismiss it."""


@dataclass(frozen=True, slots=True)
class Release:
    """Core owns the slot now: the guard ends without an exit."""

    guard_id: int
    position_id: int


@dataclass(frozen=True, slots=True)
class Close:
    """The guarded position is gone, and no exit of ours is under way."""

    guard_id: int


@dataclass(frozen=True, slots=True)
class RequestExit:
    """The stop is touched at `price` (quote currency), or was before."""

    guard_id: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Waive:
    """The stop is touched at `price` (quote currency), but the owner has exempted the slot."""

    guard_id: int
    price: Decimal


Decision = Skip | LeaveAlone | KeepEnforcing | Look | Release | Close | RequestExit | Waive


def judge(situation: Situation) -> tuple[Decision, ...]:
    """What to do about one slot, in order. An exit that is under way is always left to itself.

    Decided here: who is responsible, and whether the stop is touched. A `Look` needs the trades, and is
    followed by `touch` once the guard is up to date.
    """
    if situation.ownership is Ownership.UNKNOWN:
        return _unknown(situation)
    if situation.core is not None:
        return (*_skip(situation, situation.core), *_beside_core(situation, situation.core))
    return _manual(situation)


def touch(situation: Situation, guard: GuardView) -> tuple[Decision, ...]:
    """Whether the stop of a guard asks for an exit. A touch counts although the price has come back since."""
    price = situation.price
    if guard.state is not GuardState.GUARDING or price is None:
        return ()
    touched_now = is_touched(situation.slot.side, guard.stop, price)
    if situation.exempt:
        return (Waive(guard.guard_id, price),) if touched_now else ()
    return (RequestExit(guard.guard_id, price),) if touched_now or guard.touched else ()


def _unknown(situation: Situation) -> tuple[Decision, ...]:
    # A guard exists because the last answer was "not Core's": it goes on until somebody says otherwise.
    if situation.guard is not None:
        return _enforce(situation, situation.guard)
    return (LeaveAlone(),) if situation.held > 0 else ()


def _skip(situation: Situation, core: CorePart) -> tuple[Decision, ...]:
    return (Skip(core.position_id),) if situation.held > 0 else ()


def _beside_core(situation: Situation, core: CorePart) -> tuple[Decision, ...]:
    """A slot of Core's: what is more than Core's part is the owner's, and guarded as such."""
    guard = situation.guard
    if guard is not None and guard.state is not GuardState.GUARDING:
        return ()
    own = guard if guard is not None and guard.beside == core.position_id else None
    released = (Release(guard.guard_id, core.position_id),) if guard is not None and own is None else ()
    if core.state is not PositionState.ACTIVE:
        # Core's own order is on its way: what is beside its part cannot be told until that is recorded.
        return (*released, *(_enforce(situation, own) if own else ()))
    if situation.held <= core.quantity:
        return (Close(own.guard_id),) if own else released
    return (*released, *_look_unless_known(situation, own))


def _manual(situation: Situation) -> tuple[Decision, ...]:
    guard = situation.guard
    if guard is not None and guard.state is not GuardState.GUARDING:
        return (KeepEnforcing(guard.guard_id),) if situation.held > 0 else ()
    if situation.held <= 0:
        return (Close(guard.guard_id),) if guard else ()
    return _look_unless_known(situation, guard)


def _look_unless_known(situation: Situation, guard: GuardView | None) -> tuple[Decision, ...]:
    if guard is None:
        return () if situation.dismissed else (Look(),)
    return _enforce(situation, guard) if guard.balances == situation.balances else (Look(),)


def _enforce(situation: Situation, guard: GuardView) -> tuple[Decision, ...]:
    if situation.held <= 0:
        return ()
    return (KeepEnforcing(guard.guard_id), *touch(situation, guard))
