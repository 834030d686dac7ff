"""Did the Safety Net ever try to close this Core position? The answer, and what each layer has to say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from robson.story.rows import Rows, Span
from trading.domain.events import EventKind
from trading.domain.rounding import to_wire
from trading.models import Event, OrderIntent, Position
from trading.models.intent import Owner, Purpose

QUESTION = "Did the Safety Net ever try to close this Core position?"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`fine` is False when the answer is what must never happen, or cannot be given."""

    question: str
    answer: str
    fine: bool
    evidence: tuple[str, ...]


def of_position(position: Position, rows: Rows) -> Verdict:
    """What the rows say about one Core position."""
    owned = _owned(position, rows)
    if owned is None:
        never = "Core never owned anything here: no entry order was sent."
        return Verdict(QUESTION, "No: there was nothing to close.", True, (never,))
    safety = [intent for intent in rows.intents if intent.owner == Owner.SAFETY_NET and _meets(intent, owned)]
    beside = {guard.pk for guard in rows.guards if guard.beside_position_id == position.pk}
    tried = [intent for intent in safety if intent.guard_id not in beside]
    evidence = (
        _database(position, owned),
        *_polls(rows.events, owned),
        *_exclusion_set(rows.events, owned),
        *_forensic(position, rows.intents),
        *_guards(rows, owned),
        *_orders(position, safety, owned),
    )
    return Verdict(QUESTION, _answer(tried, safety), not tried, tuple(evidence))


def _answer(tried: list[OrderIntent], safety: list[OrderIntent]) -> str:
    if tried:
        numbers = ", ".join(str(intent.pk) for intent in tried)
        return f"YES: order intent {numbers} of the Safety Net lived while Core owned the slot. Look into it."
    if safety:
        return "No. It closed what you held beside it, in orders of their own."
    return "No."


def _owned(position: Position, rows: Rows) -> Span | None:
    """From the commit of Entering to the end; None if it was never entered."""
    entering = next((event.at for event in rows.events if event.kind == EventKind.POSITION_ENTERING), None)
    entries = [intent.created_at for intent in rows.intents if intent.purpose == Purpose.ENTRY]
    starts = [at for at in (entering, position.opened_at, *entries) if at is not None]
    return Span(min(starts), rows.span.end) if starts else None


def _meets(intent: OrderIntent, span: Span) -> bool:
    return intent.created_at <= span.end and (intent.settled_at is None or intent.settled_at >= span.start)


def _database(position: Position, owned: Span) -> str:
    until = time(owned.end) if position.closed_at else "now"
    return (
        f"Layer 1, database: Core has owned the slot {position.slot.key} from {time(owned.start)} to {until} "
        f"(position {position.pk}). A safety exit asks this under the slot's lock before it is committed."
    )


def _polls(events: Iterable[Event], owned: Span) -> Iterator[str]:
    seen = [event for event in events if event.kind == EventKind.POSITION_RECOGNISED]
    for event in seen:
        held, state = event.data.get("held", "?"), event.data.get("core_state", "?")
        yield (
            f"Layer 1, poll: at {time(event.at)} it found {held} on the exchange and kept off: "
            f"position {event.position_id}, {state} (event {event.pk})."
        )
    if not seen:
        yield "Layer 1, poll: no poll is on record that saw it. It is told at first sight, if one comes by."
    for event in events:
        if event.kind == EventKind.GUARD_LEFT_ALONE and owned.start <= event.at <= owned.end:
            yield (
                f"Layer 1, poll: at {time(event.at)} the database could not say whose it was: left alone, "
                f"no guard and no order (event {event.pk})."
            )


def _exclusion_set(events: Iterable[Event], owned: Span) -> Iterator[str]:
    for event in events:
        named = event.data.get("exclusion_set")
        if named and owned.start <= event.at <= owned.end:
            said = _NAMED.get(named, named)
            yield f"Layer 2, exclusion set in Redis: at {time(event.at)} the slot was {said}."


_NAMED = {
    "named": "named in it as Core's",
    "not named": "not named in it, and the poll put that right from the database",
    "cannot say": "not to be learned: Redis was away, and the database decided",
}


def _forensic(position: Position, intents: Iterable[OrderIntent]) -> Iterator[str]:
    yield (
        f"Layer 3, forensic link: {position.binance_position_id or 'no entry order id yet'} "
        "(binance_position_id, the entry's order)."
    )
    for intent in intents:
        if intent.position_id == position.pk:
            orders = ", ".join(filter(None, (one.order_id for one in intent.attempts.all()))) or "none"
            yield f"Layer 3, forensic link: {intent.purpose} by {intent.owner}, exchange orders: {orders}."


def _guards(rows: Rows, owned: Span) -> Iterator[str]:
    for guard in rows.guards:
        ended = f"{guard.state} at {time(guard.closed_at)}" if guard.closed_at else str(guard.state)
        beside = f", beside position {guard.beside_position_id}" if guard.beside_position_id else ""
        before = " It was open when Core took the slot." if guard.opened_at < owned.start else ""
        why = f" ({guard.end_reason})" if guard.end_reason else ""
        yield f"Guard {guard.pk} in this slot: {ended}{why}{beside}.{before}"


def _orders(position: Position, safety: list[OrderIntent], owned: Span) -> Iterator[str]:
    until = time(owned.end) if position.closed_at else "now"
    if not safety:
        yield (
            f"Orders: no order intent of the Safety Net exists for the slot {position.slot.key} "
            f"between {time(owned.start)} and {until}."
        )
    for intent in safety:
        yield (
            f"Orders: the Safety Net's intent {intent.pk} of {time(intent.created_at)}, "
            f"guard {intent.guard_id}, {to_wire(intent.quantity)}, {intent.state}."
        )


def time(at: datetime) -> str:
    """A moment, UTC, to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
