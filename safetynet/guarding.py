"""The life of a guard: opened, recomputed, released, closed. Each step is one transaction, with its event."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from safetynet.models import ONE_LIVE_GUARD, GuardedPosition
from trading import execution, journal, queries
from trading.constraints import refused_by
from trading.domain.episodes import Episode
from trading.domain.events import EventKind
from trading.domain.lifecycle import GuardState
from trading.domain.rounding import to_wire
from trading.domain.stops import safety_stop
from trading.domain.types import SlotKey
from trading.queries import Account, Slot

log = logging.getLogger(__name__)

BY_HAND = "closed by hand"
GONE = "gone without a trade"
DECIMAL_PLACES = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """A manual position as the poll found it; `price` in quote currency.

    `balances` are those that it was derived from, `beside` Core's position in the same slot, if any.
    """

    episode: Episode
    price: Decimal
    balances: str
    beside: int | None
    at: datetime


def open_guard(account: Account, key: SlotKey, finding: Finding) -> GuardedPosition | None:
    """Start guarding. None if, under the slot's lock, the slot turns out to be Core's after all, or guarded.

    A position whose entry the trades do not tell is protected from the present price. Raises DatabaseError.
    """
    try:
        with transaction.atomic():
            slot = execution.lock_slot(queries.slot_for(account, key.symbol, key.side, key.venue).pk)
            core = queries.find_active_by_symbol_and_side(account, key.symbol, key.side, key.venue)
            if (core.pk if core else None) != finding.beside:
                log.warning("Safety Net: not guarding %s: its owner has just changed", slot)
                return None
            guard = GuardedPosition.objects.create(**_opened(slot, finding))
            _announce(EventKind.GUARD_OPENED, guard, finding)
    except IntegrityError as error:
        if refused_by(error) != ONE_LIVE_GUARD:
            raise
        log.warning("Safety Net: %s is guarded already", key)
        return None
    if guard.entry_is_provisional:
        log.error(
            "Safety Net: the trades do not tell the entry price of %s: guarded from %s, please check",
            guard.slot,
            to_wire(guard.entry_price),
        )
    return guard


def recompute(guard: GuardedPosition, finding: Finding, lot: Decimal) -> bool:
    """Follow what the owner has changed. An event only for what he would notice: a lot (base) or the stop.

    False, with nothing changed, when the guard is not Guarding any more.
    """
    fields = _followed(guard, finding)
    noticed = abs(fields["quantity"] - guard.quantity) >= lot or fields["stop_price"] != guard.stop_price
    if fields["stop_price"] != guard.stop_price:
        # The touch was of another stop.
        fields |= {"touched_price": None, "touched_at": None}
    before = {
        "quantity_before": guard.quantity,
        "entry_before": guard.entry_price,
        "stop_before": guard.stop_price,
    }
    with transaction.atomic():
        if not _guarding(guard).update(**fields):
            return False
        for name, value in fields.items():
            setattr(guard, name, value)
        if noticed:
            _announce(EventKind.GUARD_RECOMPUTED, guard, finding, **before)
    if noticed:
        log.warning("Safety Net: %s changed by hand: safety stop=%s", guard.slot, to_wire(guard.stop_price))
    return True


def release(guard: GuardedPosition, position_id: int, at: datetime) -> bool:
    """Core owns the slot now. False when the guard was not Guarding any more."""
    released = journal.advance(
        guard,
        GuardState.RELEASED,
        at=at,
        data={"core_position_id": position_id, "reason": "managed by Core"},
        end_reason="managed by Core",
        closed_at=at,
    )
    if released:
        log.warning("Safety Net: Releasing %s (Core-managed position_id=%s)", guard.slot, position_id)
    return released


def close(guard: GuardedPosition, exit_price: Decimal | None, at: datetime) -> bool:
    """The position is gone and it was not us. False when the guard was not Guarding any more."""
    reason = GONE if exit_price is None else BY_HAND
    closed = journal.advance(
        guard,
        GuardState.CLOSED,
        at=at,
        data={"reason": reason, "price": exit_price},
        end_reason=reason,
        exit_price=exit_price,
        closed_at=at,
    )
    if closed:
        log.warning("Safety Net: %s: %s", guard.slot, reason)
    return closed


def remember_touch(guard: GuardedPosition, price: Decimal, at: datetime) -> bool:
    """From now on the exit is due, whatever becomes of the price, received `at`. True the first time."""
    untouched = _guarding(guard).filter(touched_price__isnull=True)
    first = bool(untouched.update(touched_price=price, touched_at=at))
    if first:
        guard.touched_price, guard.touched_at = price, at
        log.warning(
            "Safety Net: %s touched its safety stop=%s at %s",
            guard.slot,
            to_wire(guard.stop_price),
            to_wire(price),
        )
    return first


def _guarding(guard: GuardedPosition) -> Any:
    return GuardedPosition.objects.filter(pk=guard.pk, state=GuardState.GUARDING)


def _opened(slot: Slot, finding: Finding) -> dict[str, Any]:
    episode, price = finding.episode, finding.price
    entry = _stored(episode.entry_price or price)
    return {
        "slot": slot,
        "quantity": _stored(episode.quantity),
        "entry_price": entry,
        "entry_is_provisional": episode.entry_price is None,
        "stop_price": _stored(safety_stop(slot.position_side, entry, slot.account.safety_stop_percent)),
        "first_trade_id": episode.first_trade_id,
        "last_trade_id": episode.last_trade_id or 0,
        "seen_balances": finding.balances,
        "beside_position_id": finding.beside,
        "last_price": price,
        "last_seen_at": finding.at,
        "opened_at": _opened_at(episode, finding.at),
    }


def _followed(guard: GuardedPosition, finding: Finding) -> dict[str, Any]:
    """A provisional entry stays where it was: following the price would never let it be touched."""
    episode, slot = finding.episode, guard.slot
    entry = _stored(episode.entry_price or guard.entry_price)
    return {
        "quantity": _stored(episode.quantity),
        "entry_price": entry,
        "entry_is_provisional": episode.entry_price is None and guard.entry_is_provisional,
        "stop_price": _stored(safety_stop(slot.position_side, entry, slot.account.safety_stop_percent)),
        "first_trade_id": episode.first_trade_id or guard.first_trade_id,
        "last_trade_id": episode.last_trade_id or guard.last_trade_id,
        "seen_balances": finding.balances,
        "beside_position_id": finding.beside,
        "last_price": finding.price,
        "last_seen_at": finding.at,
    }


def _announce(kind: EventKind, guard: GuardedPosition, finding: Finding, **more: Decimal) -> None:
    journal.append(
        kind,
        guard,
        at=finding.at,
        quantity=guard.quantity,
        entry=guard.entry_price,
        provisional=guard.entry_is_provisional,
        stop=guard.stop_price,
        price=finding.price,
        collateral=finding.episode.collateral,
        core_position_id=finding.beside,
        **more,
    )


def _stored(value: Decimal) -> Decimal:
    """As the database keeps it, so that nothing seems to change by being read back."""
    return round(value, DECIMAL_PLACES)


def _opened_at(episode: Episode, now: datetime) -> datetime:
    return datetime.fromtimestamp(episode.opened_ms / 1000, UTC) if episode.opened_ms is not None else now
