"""The safety exit: both layers once more, under the slot's lock, then the intent, then the order."""

import logging
from datetime import datetime

from celery import current_app
from kombu.exceptions import OperationalError

from safetynet import exclusions, guarding
from safetynet.models import Exemption, GuardedPosition
from safetynet.observing import in_force
from trading import execution, gateway, journal, queries, readahead
from trading.domain.lifecycle import OWNED_STATES, GuardState
from trading.domain.rounding import to_wire
from trading.domain.types import Venue
from trading.execution import Claimed, Desk, OrderIntent, Owner, Part, Provided, Purpose, Step, Terms
from trading.logcontext import about

log = logging.getLogger(__name__)

TASK = "safetynet.exit_guard"
REASON = "safety stop"
# The poll asks again long before, as long as the exit is due.
REQUEST_EXPIRES_S = 60

# What `_why_not` asks the models, as one part of the claim. Core's position beside which this is the surplus
# does not stand in its way.
_DUE = """
    this.touched_price IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM trading_position core
        WHERE core.slot_id = this.slot_id AND core.id IS DISTINCT FROM this.beside_position_id
          AND core.state = ANY(%s::varchar[]))
    AND NOT EXISTS (
        SELECT 1 FROM safetynet_exemption exempt
        WHERE exempt.slot_id = this.slot_id AND exempt.ended_at IS NULL AND exempt.until > %s::timestamptz)
"""
_OWNED = f"{{{','.join(OWNED_STATES)}}}"
_SAYS = {True: "Core owns the slot", False: "Core does not own the slot", None: "nothing"}


def ask(guard_id: int) -> bool:
    """Ask the exits queue for the exit of a guard. False when the broker is away."""
    try:
        current_app.send_task(TASK, args=(guard_id,), queue="exits", expires=REQUEST_EXPIRES_S)
    except (OperationalError, OSError) as error:
        log.error("Safety Net: the exit of guard #%s cannot be queued: %s", guard_id, error)
        return False
    return True


def exit_guard(guard_id: int, desk: Desk | None = None) -> None:
    """Exit a guarded position whose stop has been touched, whatever the price has done since.

    Does nothing unless the guard is Guarding with a touched stop: safe to call twice, and at once. The
    database decides, under the slot's lock: a position that is Core's is released instead. Beside a position
    of Core's only the surplus is traded, and never more than is really there beside it (`trading.planning`).
    Without a `desk` it works with this thread's own connection to the account.
    """
    guard = GuardedPosition.objects.select_related("slot__account").get(pk=guard_id)
    if guard.state != GuardState.GUARDING or guard.touched_price is None:
        return
    with about(guard):
        _exit(guard, desk or gateway.desk_for(guard.slot.account))


def _exit(guard: GuardedPosition, desk: Desk) -> None:
    hint = exclusions.contains(guard.slot.key)
    log.info("Safety Net: exit of %s: Redis says %s", guard, _SAYS[hint])
    try:
        claimed = _claim(guard, desk, hint)
    except execution.SlotBusy as busy:
        log.warning("Safety Net: exit of %s waits: %s", guard, busy)
        return
    if claimed is not None:
        alone = guard.beside_position_id is None
        execution.run_attempt(claimed.attempt, desk, claimed.early, alone=alone)
        execution.execute(claimed.attempt.intent_id, desk)
        execution.reserve()
    _correct(hint, guard)


def settle(intent: OrderIntent, base_asset: str, at: datetime) -> None:
    """End of a safety exit, inside the transaction that records it."""
    guard = GuardedPosition.objects.select_related("slot__account").get(pk=intent.guard_id or 0)
    price = intent.average_price
    reason = intent.reason if price else f"{intent.reason}: found flat"
    journal.advance(
        guard,
        GuardState.CLOSED,
        at=at,
        data={"price": price, "quantity": intent.executed_quantity, "asset": base_asset, "reason": reason},
        exit_price=price,
        end_reason=reason,
        closed_at=at,
    )
    log.warning("Safety Net: %s closed at %s (%s)", guard.slot, price and to_wire(price), reason)


def part(intent: OrderIntent, _base_asset: str) -> Part | None:
    """What was guarded when the trades were last read. None for a guard that no trade has explained."""
    guard = GuardedPosition.objects.select_related("slot").filter(pk=intent.guard_id or 0).first()
    if guard is None or not guard.last_trade_id:
        return None
    return Part(guard.quantity, guard.last_trade_id, queries.slot_order_ids(guard.slot))


def _claim(guard: GuardedPosition, desk: Desk, hint: bool | None) -> Claimed | None:
    """Everything that must not change between the question and the claim, in one transaction."""
    slot = guard.slot
    data = {
        "reason": REASON,
        "price": guard.touched_price,
        "stop": guard.stop_price,
        "redis": _SAYS[hint],
        "beside": guard.beside_position_id,
    }
    step = Step(guard, GuardState.EXITING, {}, data)
    due = Provided(_DUE, (_OWNED, desk.clock()))
    with journal.atomic(guard):
        execution.hold(slot.pk)
        claimed = execution.claim_at_once(
            slot,
            step,
            _terms(guard),
            desk=desk,
            provided=due,
            begin_read=lambda: readahead.begin(slot.account, slot.symbol),
        )
        if claimed is None:
            _why_not(guard, desk.clock())
    return claimed


def _terms(guard: GuardedPosition) -> Terms:
    return Terms(
        purpose=Purpose.EXIT,
        owner=Owner.SAFETY_NET,
        quantity=guard.quantity,
        reason=REASON,
        guard_id=guard.pk,
        trigger_price=guard.touched_price,
        triggered_at=guard.touched_at,
    )


def _why_not(guard: GuardedPosition, at: datetime) -> None:
    """Under the same lock: what stands in the way of the exit. What Core owns now is released."""
    core_id = _core_id(guard)
    if core_id is not None and core_id != guard.beside_position_id:
        guarding.release(guard, core_id, at)
    elif Exemption.objects.filter(in_force(at), slot_id=guard.slot_id).exists():
        log.warning("Safety Net: %s is exempted: no exit", guard)
    else:
        log.info("Safety Net: exit of %s: not due any more, or changed meanwhile", guard)


def _core_id(guard: GuardedPosition) -> int | None:
    slot = guard.slot
    core = queries.find_active_by_symbol_and_side(
        slot.account, slot.symbol, slot.position_side, Venue(slot.venue)
    )
    return core.pk if core else None


def _correct(hint: bool | None, guard: GuardedPosition) -> None:
    """Rebuild the exclusion set if it was wrong about the slot."""
    if hint is not None and hint != (_core_id(guard) is not None):
        log.warning("Safety Net: Redis was wrong about %s: rebuilding the exclusion set", guard.slot)
        account = guard.slot.account
        exclusions.rebuild(account.name, queries.core_holdings(account))
