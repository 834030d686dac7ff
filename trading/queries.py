"""Public reads of Core: what other parts may know. Errors propagate; an error is never 'not managed'."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.lifecycle import LIVE_INTENT_STATES, MANAGED_STATES, OWNED_STATES
from trading.domain.types import Side, SlotKey, Venue
from trading.models import Account, OrderAttempt, OrderIntent, Position, Slot
from trading.models.intent import Purpose

__all__ = [
    "Account",
    "CoreHolding",
    "Slot",
    "active_accounts",
    "core_holdings",
    "core_order_ids",
    "exits_settled",
    "find_active_by_symbol_and_side",
    "have_slots",
    "live_exit",
    "live_guard_exits",
    "live_intent_id",
    "managed_positions",
    "position_order_ids",
    "slot_for",
]


@dataclass(frozen=True, slots=True)
class CoreHolding:
    """What Core owns in one slot. `quantity` (base) is 0 while an entry is on its way."""

    position_id: int
    slot: SlotKey
    state: str
    quantity: Decimal
    binance_position_id: str


def find_active_by_symbol_and_side(
    account: Account, symbol: str, side: Side, venue: Venue = Venue.ISOLATED_MARGIN
) -> Position | None:
    """Core's position in this slot if it is Entering, Active or Exiting. Layer 1 of the coordination."""
    return (
        # Every safety exit waits for this: no more columns than ownership is about.
        Position.objects.only("slot_id", "state", "quantity", "exit_quantity")
        .filter(
            slot__account=account,
            slot__venue=venue,
            slot__symbol=symbol,
            slot__side=side,
            state__in=OWNED_STATES,
        )
        .first()
    )


def core_holdings(account: Account) -> Mapping[SlotKey, CoreHolding]:
    """Everything that Core owns in one account, in one query."""
    owned = Position.objects.select_related("slot__account").filter(
        slot__account=account, state__in=OWNED_STATES
    )
    return {
        position.slot.key: CoreHolding(
            position_id=position.pk,
            slot=position.slot.key,
            state=position.state,
            quantity=max(position.quantity - position.exit_quantity, Decimal(0)),
            binance_position_id=position.binance_position_id,
        )
        for position in owned
    }


def core_order_ids(account: Account, symbol: str) -> frozenset[str]:
    """Exchange ids of the orders of the positions that Core owns now: the rest of the trades are manual.

    Orders of closed positions are not among them, since whatever closed them may have been the owner's hand.
    """
    return frozenset(
        OrderAttempt.objects.filter(
            intent__slot__account=account,
            intent__slot__symbol=symbol,
            intent__position__state__in=OWNED_STATES,
        )
        .exclude(order_id="")
        .values_list("order_id", flat=True)
    )


def position_order_ids(position_id: int) -> frozenset[str]:
    """Exchange ids of the orders of one Core position, whatever became of it."""
    sent = OrderAttempt.objects.filter(intent__position_id=position_id).exclude(order_id="")
    return frozenset(sent.values_list("order_id", flat=True))


def slot_order_ids(slot: Slot) -> frozenset[str]:
    """Exchange ids of every order in this account and symbol that Robson has recorded, on either side."""
    attempts = OrderAttempt.objects.filter(
        intent__slot__account_id=slot.account_id, intent__slot__symbol=slot.symbol
    )
    return frozenset(attempts.exclude(order_id="").values_list("order_id", flat=True))


def exits_settled(slot: Slot) -> int:
    """How many exits of Robson's, Core's and the Safety Net's, have ended in this account and symbol."""
    exits = OrderIntent.objects.filter(
        slot__account_id=slot.account_id, slot__symbol=slot.symbol, purpose=Purpose.EXIT
    )
    return exits.exclude(state__in=LIVE_INTENT_STATES).count()


def live_exit(slot: Slot) -> OrderIntent | None:
    """The exit under way in this slot, whoever asked for it."""
    return OrderIntent.objects.filter(slot=slot, purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES).first()


def live_intent_id(position: Position) -> int | None:
    """The order of this position that is not settled yet."""
    live = OrderIntent.objects.filter(position=position, state__in=LIVE_INTENT_STATES)
    return live.values_list("pk", flat=True).first()


def live_guard_exits(account: Account) -> Mapping[int, OrderIntent]:
    """The Safety Net's exits under way, by guard id."""
    live = OrderIntent.objects.filter(
        slot__account=account, guard_id__isnull=False, purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES
    )
    return {intent.guard_id: intent for intent in live if intent.guard_id is not None}


def managed_positions(account: Account | None = None) -> list[Position]:
    """Positions that Core arms, enters, trails or exits, oldest first."""
    managed = Position.objects.select_related("slot__account").filter(state__in=MANAGED_STATES).order_by("id")
    return list(managed.filter(slot__account=account) if account else managed)


def active_accounts() -> list[Account]:
    return list(Account.objects.filter(active=True))


def have_slots(account: Account, keys: Iterable[SlotKey]) -> None:
    """Create the rows of these slots that are not there yet, in one statement."""
    rows = [Slot(account=account, venue=key.venue, symbol=key.symbol, side=key.side) for key in keys]
    Slot.objects.bulk_create(rows, ignore_conflicts=True)


def slot_for(account: Account, symbol: str, side: Side, venue: Venue = Venue.ISOLATED_MARGIN) -> Slot:
    """The slot's row, created when it is asked for the first time."""
    return Slot.of(account, symbol, side, venue)
