"""What becomes of a Core position when one of its orders is settled: Active, Closed or Cancelled."""

import logging
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from trading import bus, execution, facts, fills, journal, parts, services
from trading.domain.lifecycle import PositionState
from trading.domain.rounding import people
from trading.domain.stops import StopKind, StopPolicy, stop_distance
from trading.domain.trailing import TrailingStop, stop_for
from trading.domain.types import Side
from trading.models import OrderIntent, Position
from trading.models.intent import Owner, Purpose
from trading.parts import Part

log = logging.getLogger(__name__)

ZERO = Decimal(0)
# So much of an entry may be left over because it is less than a lot.
REMAINDER_SHARE = Decimal("0.01")


def register_settlement() -> None:
    """Intents of Core, and of the operator on Core's positions, are settled here."""
    for owner in (Owner.CORE, Owner.OPERATOR):
        execution.register_settlement(owner, settle)
        execution.register_part(owner, _part)


def settle(intent: OrderIntent, base_asset: str, at: datetime) -> None:
    """End of an intent on a Core position, inside the transaction that records it."""
    position = intent.position
    if position is None:
        raise ValueError(f"{intent} of {intent.owner} names no position")
    if intent.purpose == Purpose.ENTRY:
        _settle_entry(position, intent, base_asset, at)
    else:
        _settle_exit(position, intent, base_asset, at)


def _part(intent: OrderIntent, base_asset: str) -> Part | None:
    return parts.core_part(intent.position, base_asset) if intent.position else None


def _settle_entry(position: Position, intent: OrderIntent, base_asset: str, at: datetime) -> None:
    price = intent.average_price
    if price is None:
        why = intent.last_error or "nothing was executed"
        journal.advance(
            position, PositionState.CANCELLED, at=at, data={"error": why}, note=why[:255], closed_at=at
        )
        log.warning("%s: entry not executed: %s", position, why)
        return
    try:
        with transaction.atomic():
            _activate(position, intent, price, base_asset, at)
    except (ValueError, IntegrityError) as error:
        _fail(position, price, error, at)
        return
    _exit_if_marked(position, at)


def _activate(position: Position, intent: OrderIntent, price: Decimal, base_asset: str, at: datetime) -> None:
    stop = _first_stop(position, price)
    quantity = fills.closed_quantity(intent, base_asset)
    order_id = intent.attempts.exclude(order_id="").latest("number").order_id
    journal.advance(
        position,
        PositionState.ACTIVE,
        at=at,
        data={"entry": price, "quantity": quantity, "stop": stop.stop, "order_id": order_id},
        quantity=quantity,
        entry_price=price,
        distance=stop.distance or abs(price - (stop.stop or ZERO)),
        extreme_price=price,
        extreme_time_ms=fills.last_time_ms(intent),
        stop_price=stop.stop,
        opened_at=at,
        binance_position_id=order_id,
    )
    bus.publish(facts.opened(position, order_id))
    log.info("%s: entered %s at %s, stop %s", position, *map(people, (quantity, price, stop.stop)))


def _fail(position: Position, price: Decimal, error: Exception, at: datetime) -> None:
    """What was bought is there and must not be without a stop: Core lets go, and the next poll guards it."""
    why = f"filled, but without a stop: {str(error).splitlines()[0]}"
    journal.advance(
        position,
        PositionState.ERROR,
        at=at,
        data={"error": why, "entry": price},
        note=why[:255],
        entry_price=price,
        opened_at=at,
    )
    bus.publish(facts.closed(position))
    log.critical("%s: %s. The Safety Net takes it from here: look at it", position, why)


def _exit_if_marked(position: Position, at: datetime) -> None:
    """A panic came while the entry was under way."""
    # Read once the row is ours: a panic from now on finds the position Active.
    position.refresh_from_db(fields=["exit_reason"])
    if position.exit_reason:
        services.request_exit(position=position, reason=position.exit_reason, at=at, owner=Owner.OPERATOR)


def _first_stop(position: Position, price: Decimal) -> TrailingStop:
    """The stop at the fill: a percentage is of the price really paid, other distances are as signalled."""
    policy = StopPolicy(StopKind(position.stop_kind), position.stop_value)
    distance = position.distance
    if policy.kind is StopKind.PERCENT:
        distance = stop_distance(policy, price)
    fresh = TrailingStop(
        side=position.slot.position_side,
        distance=None if position.trailing_bps else distance,
        offset_bps=position.trailing_bps,
    )
    return replace(fresh, extreme=price, stop=stop_for(fresh, price))


def _settle_exit(position: Position, intent: OrderIntent, base_asset: str, at: datetime) -> None:
    price = intent.average_price
    reason = position.exit_reason if price else f"{position.exit_reason}: found flat"[:64]
    profit = _profit(position, intent, base_asset) if price else None
    journal.advance(
        position,
        PositionState.CLOSED,
        at=at,
        data={"price": price, "quantity": intent.executed_quantity, "reason": reason, "pnl": profit},
        exit_price=price,
        exit_quantity=intent.executed_quantity,
        exit_reason=reason,
        realised_pnl=profit,
        closed_at=at,
    )
    bus.publish(facts.closed(position))
    log.info("%s: closed at %s (%s), profit %s", position, people(price), reason, people(profit))


def _profit(position: Position, exit_intent: OrderIntent, base_asset: str) -> Decimal | None:
    """Quote currency, after the commissions paid in base and quote currency, of what Robson has closed."""
    entry = position.intents.filter(purpose=Purpose.ENTRY, executed_quantity__gt=0).first()
    if entry is None:
        return None
    quote_asset = position.slot.symbol.removeprefix(base_asset)
    share = _closed_share(entry, exit_intent, base_asset)
    paid = fills.commission_in(entry, quote_asset) * share + fills.commission_in(exit_intent, quote_asset)
    flow = exit_intent.executed_quote - entry.executed_quote * share
    return Decimal(flow if position.slot.position_side is Side.LONG else -flow) - paid


def _closed_share(entry: OrderIntent, exit_intent: OrderIntent, base_asset: str) -> Decimal:
    """How much of the entry the exit has closed; what the owner has closed by hand is his own account."""
    share = fills.closed_quantity(exit_intent, base_asset) / fills.closed_quantity(entry, base_asset)
    return share if share < 1 - REMAINDER_SHARE else Decimal(1)
