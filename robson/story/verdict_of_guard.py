"""Whose was what the Safety Net guarded, and did it order anything? With what the answer rests on."""

from collections.abc import Iterator

from robson.story.rows import Rows
from robson.story.verdict import Verdict, time
from safetynet.models import GuardedPosition
from trading.domain.events import EventKind
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.rounding import to_wire
from trading.models import Event, OrderIntent, Position

QUESTION = "Did the Safety Net order anything here, and was it its own to close?"
_NEVER_OWNED = (PositionState.ARMED, PositionState.CANCELLED)


def of_guard(guard: GuardedPosition, rows: Rows) -> Verdict:
    """What the rows say about one guarded position."""
    others = [one for one in rows.positions if one.pk != guard.beside_position_id]
    wrong = [one for one in others for intent in rows.intents if _owned_then(one, intent)]
    evidence = (
        *_events(rows.events),
        *(_core(one, guard) for one in rows.positions if one.state not in _NEVER_OWNED),
        *_orders(rows.intents),
    )
    return Verdict(QUESTION, _answer(guard, rows, wrong), not wrong, evidence)


def _answer(guard: GuardedPosition, rows: Rows, wrong: list[Position]) -> str:
    if wrong:
        numbers = ", ".join(str(position.pk) for position in wrong)
        return f"It did, while Core owned the slot (position {numbers}). Look into it."
    if rows.intents:
        return "Yes, and it was: Core owned nothing of it at that time."
    if guard.state == GuardState.RELEASED:
        return "No: Core took the slot over, and the guard ended without an order."
    if guard.state == GuardState.CLOSED:
        return f"No: {guard.end_reason or 'it ended'} without an order of the Safety Net."
    return "Not yet: it compares the price with the stop at every poll."


def _owned_then(position: Position, intent: OrderIntent) -> bool:
    """Whether Core's position was open when the Safety Net's order was claimed."""
    return position.opened_at is not None and position.opened_at <= intent.created_at <= (
        position.closed_at or intent.created_at
    )


def _events(events: list[Event]) -> Iterator[str]:
    for event in events:
        beside = event.data.get("core_position_id") or event.data.get("beside")
        if event.kind == EventKind.GUARD_OPENED:
            owner = f"Core's position {beside}, and this is beside it" if beside else "nothing of Core's"
            yield f"Layer 1, database: at {time(event.at)}, under the slot's lock: {owner}. Guarded."
        if event.kind == EventKind.GUARD_EXIT_REQUESTED:
            redis = event.data.get("redis", "not recorded")
            yield f"Layer 2, exclusion set: at {time(event.at)} Redis said: {redis}."
            yield f"Layer 1, database: at {time(event.at)}, in the claim itself: nothing of it is Core's."
        if event.kind == EventKind.GUARD_RELEASED:
            yield f"Layer 1, database: at {time(event.at)}: Core's position {beside}. Released."


def _core(position: Position, guard: GuardedPosition) -> str:
    until = time(position.closed_at) if position.closed_at else "now"
    since = time(position.opened_at or position.armed_at)
    beside = ", beside which this is the surplus" if position.pk == guard.beside_position_id else ""
    return f"Core's position {position.pk} in this slot: {since} to {until}{beside}."


def _orders(intents: list[OrderIntent]) -> Iterator[str]:
    if not intents:
        yield "Orders: no order intent of the Safety Net exists for this guard."
    for intent in intents:
        orders = ", ".join(filter(None, (one.order_id for one in intent.attempts.all()))) or "none"
        what = f"{to_wire(intent.quantity)}, {intent.state}, exchange: {orders}"
        yield f"Orders: intent {intent.pk} of {time(intent.created_at)}, {what}."
