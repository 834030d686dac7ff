"""The safety exit: both layers once more, under the slot's lock, then the intent, then the order."""

import logging
from dataclasses import dataclass
from datetime import datetime

from celery import current_app
from django.db.models import Exists, OuterRef
from kombu.exceptions import OperationalError

from safetynet import exclusions, guarding
from safetynet.models import Exemption, GuardedPosition
from safetynet.observing import in_force
from trading import execution, gateway, journal, queries, readahead
from trading.domain.lifecycle import GuardState
from trading.domain.rounding import to_wire
from trading.domain.types import Venue
from trading.execution import Desk, OrderAttempt, OrderIntent, Owner, Purpose, Slot, Step, Terms

log = logging.getLogger(__name__)

TASK = "safetynet.exit_guard"
REASON = "safety stop"
# The poll asks again long before, as long as the exit is due.
REQUEST_EXPIRES_S = 60


_SAYS = {True: "Core owns the slot", False: "Core does not own the slot", None: "nothing"}


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the database decided under the slot's lock: whether the slot is Core's, and what to send."""

    owned: bool
    attempt: OrderAttempt | None = None


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
    guard, exempt = _guard(guard_id)
    if guard.state != GuardState.GUARDING or guard.touched_price is None:
        return
    if exempt:
        log.warning("Safety Net: %s is exempted: no exit", guard)
        return
    desk = desk or gateway.desk_for(guard.slot.account)
    read_pair = readahead.begin(guard.slot.account, guard.slot.symbol)
    hint = exclusions.contains(guard.slot.key)
    log.info("Safety Net: exit of %s: Redis says %s", guard, _SAYS[hint])
    try:
        with journal.atomic(guard):
            verdict = _decide(guard, desk)
    except execution.SlotBusy as busy:
        log.warning("Safety Net: exit of %s waits: %s", guard, busy)
        return
    if verdict.attempt is not None:
        execution.run_attempt(verdict.attempt, desk, read_pair, alone=not verdict.owned)
        execution.execute(verdict.attempt.intent_id, desk)
        execution.reserve()
    if hint is not None and hint != verdict.owned:
        log.warning("Safety Net: Redis was wrong about %s: rebuilding the exclusion set", guard.slot)
        exclusions.rebuild(guard.slot.account.name, queries.core_holdings(guard.slot.account))


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


def _guard(guard_id: int) -> tuple[GuardedPosition, bool]:
    """The guard, and whether the owner has exempted its slot, in one question."""
    exempt = Exemption.objects.filter(in_force(gateway.utc_now()), slot=OuterRef("slot"))
    guards = GuardedPosition.objects.select_related("slot__account").annotate(exempt=Exists(exempt))
    guard = guards.get(pk=guard_id)
    return guard, bool(vars(guard)["exempt"])


def _decide(guard: GuardedPosition, desk: Desk) -> _Verdict:
    """Everything that must not change between the question and the claim, in one transaction."""
    at = desk.clock()
    slot = execution.lock_slot(guard.slot_id)
    core = queries.find_active_by_symbol_and_side(
        slot.account, slot.symbol, slot.position_side, Venue(slot.venue)
    )
    if core is not None and core.pk != guard.beside_position_id:
        guarding.release(guard, core.pk, at)
        return _Verdict(owned=True)
    return _Verdict(owned=core is not None, attempt=_claim(guard, slot, desk))


def _claim(guard: GuardedPosition, slot: Slot, desk: Desk) -> OrderAttempt | None:
    data = {"reason": REASON, "price": guard.touched_price, "stop": guard.stop_price}
    terms = Terms(
        purpose=Purpose.EXIT,
        owner=Owner.SAFETY_NET,
        quantity=guard.quantity,
        reason=REASON,
        guard_id=guard.pk,
        trigger_price=guard.touched_price,
    )
    return execution.claim_at_once(slot, Step(guard, GuardState.EXITING, {}, data), terms, desk=desk)
