"""Positions that the exchange no longer has: seen twice, then told by the account's trades, never guessed."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from trading import bus, facts, journal, parts, queries
from trading.domain.clocks import latest
from trading.domain.episodes import is_dust
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.domain.reconcile import (
    Closing,
    are_its_own,
    closed_by_others,
    missing_from,
    missing_quantity,
)
from trading.domain.rounding import people
from trading.domain.types import MarginPair, OwnTrade, SymbolRules
from trading.exchange.errors import Refused
from trading.execution import Desk
from trading.logcontext import about
from trading.models import Account, Fill, Position

log = logging.getLogger(__name__)

# Between an order and the balances that show it; a second look before anything is concluded.
GRACE = timedelta(seconds=15)


def reconcile(account: Account, desk: Desk) -> None:
    """Compare every Active position of an account with what the exchange holds. Raises ExchangeError.

    A failed question changes nothing, and one that is refused, such as that for the rules of a symbol that
    is not traded any more, keeps no other position from being looked at. Entries and exits under way are the
    business of their intents.
    """
    active = [p for p in queries.managed_positions(account) if p.state == PositionState.ACTIVE]
    if not active:
        return
    pairs = desk.exchange.margin_pairs()
    for position in active:
        with about(position):
            try:
                _compare(position, pairs.get(position.slot.symbol), desk)
            except Refused as error:
                log.error("%s: not reconciled, the exchange refuses to tell of it: %s", position, error)


def _compare(position: Position, pair: MarginPair | None, desk: Desk) -> None:
    if pair is None:
        log.error("%s: the account's answer leaves its pair out; that does not mean flat", position)
        return
    rules = desk.exchange.symbol_rules(position.slot.symbol)
    missing = _missing(position, pair, rules, desk)
    if not missing:
        if position.missing_since is not None:
            _note(position, EventKind.POSITION_FOUND, desk, missing_since=None)
    elif position.missing_since is None or position.missing_since > latest(desk.clock()):
        log.warning("%s: the exchange holds %s less than it should; looking again", position, people(missing))
        _note(position, EventKind.POSITION_MISSING, desk, missing_since=desk.clock(), missing=missing)
    elif desk.clock() - position.missing_since >= GRACE:
        _explain(position, missing, desk)


def _missing(position: Position, pair: MarginPair, rules: SymbolRules, desk: Desk) -> Decimal:
    """By the balances, and where a long's are not just its own, by the trades since its entry as well.

    The owner's coins hide that he has sold the position, or how much of it.
    """
    slot = position.slot
    missing = missing_quantity(slot.position_side, position.quantity, pair, rules)
    if are_its_own(slot.position_side, position.quantity, pair, rules):
        return missing
    part = parts.core_part(position, rules.base_asset)
    if part is None:
        return missing
    left = parts.left(part, slot.symbol, rules.base_asset, desk.exchange)
    return max(missing, missing_from(left, position.quantity, rules))


def _explain(position: Position, missing: Decimal, desk: Desk) -> None:
    """The second look found it missing too: what do the trades since the entry say?"""
    symbol = position.slot.symbol
    trades = _trades_since_entry(position, desk)
    closing = closed_by_others(trades, position.slot.position_side, queries.slot_order_ids(position.slot))
    rules = desk.exchange.symbol_rules(symbol)
    if closing is None or closing.quantity + rules.lot_step < missing:
        log.critical("%s: %s are missing at the exchange and no trade tells why", position, people(missing))
        return
    left = position.quantity - missing
    if is_dust(left, rules, closing.price):
        _close(position, closing, desk)
    else:
        _reduce(position, left, closing, desk)


def _trades_since_entry(position: Position, desk: Desk) -> Sequence[OwnTrade]:
    last_own = Fill.objects.filter(attempt__intent__position=position).order_by("-trade_id").first()
    return desk.exchange.trades(position.slot.symbol, from_id=last_own.trade_id + 1 if last_own else None)


def _close(position: Position, closing: Closing, desk: Desk) -> None:
    reason = "closed outside Robson"
    with journal.atomic(position):
        closed = journal.advance(
            position,
            PositionState.CLOSED,
            at=desk.clock(),
            data={"reason": reason, "price": closing.price, "orders": list(closing.order_ids)},
            exit_reason=reason,
            exit_price=closing.price,
            exit_quantity=position.quantity,
            closed_at=desk.clock(),
            missing_since=None,
        )
        if closed:
            bus.publish(facts.closed(position))
            log.warning("%s: closed outside Robson at %s", position, people(closing.price))


def _reduce(position: Position, left: Decimal, closing: Closing, desk: Desk) -> None:
    log.warning("%s: reduced outside Robson from %s to %s", position, people(position.quantity), people(left))
    _note(
        position,
        EventKind.POSITION_REDUCED,
        desk,
        missing_since=None,
        quantity=left,
        price=closing.price,
        before=position.quantity,
        orders=list(closing.order_ids),
    )


def _note(position: Position, kind: EventKind, desk: Desk, **data: object) -> None:
    """Write columns of an Active position with the event that says why; nothing once it has left Active."""
    columns = {name: data.pop(name) for name in ("missing_since", "quantity") if name in data}
    with transaction.atomic():
        active = Position.objects.filter(pk=position.pk, state=PositionState.ACTIVE)
        if active.update(**columns):
            journal.append(kind, position, at=desk.clock(), **data, **columns)
