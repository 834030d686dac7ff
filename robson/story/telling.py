"""Rows told as lines: each event, and each trade as the exchange dated it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from robson.story.line import Act, Line
from robson.story.rows import Rows
from robson.story.sentences import say
from trading.domain.events import EventKind
from trading.domain.rounding import to_wire
from trading.models import Event, Fill, OrderAttempt, OrderIntent
from trading.models.intent import Owner

EXCHANGE = "Exchange"
CORE, SAFETY_NET = "Core", "Safety Net"
PROCESSES = {
    "runconsumer": "consumer",
    "exits": "worker exits",
    "safetynet": "worker safetynet",
    "default": "worker default",
    "robson.asgi": "web",
}
_OWNERS = {Owner.CORE: CORE, Owner.SAFETY_NET: SAFETY_NET, Owner.OPERATOR: "Operator"}
_ANSWERS = (
    EventKind.INTENT_FILLED,
    EventKind.INTENT_PARTIALLY_FILLED,
    EventKind.INTENT_REFUSED,
    EventKind.EXCHANGE_BANNED,
)
_IDS = {"client_order_id": "client order", "order_id": "order", "orders": "orders", "signal": "signal"}


def lines(rows: Rows) -> tuple[Line, ...]:
    """In order of time; a trade never before its order was sent, whatever the exchange's clock says."""
    intents = {intent.pk: intent for intent in rows.intents}
    told = [(event.at, 0, event.pk, _event(event, intents)) for event in rows.events]
    told += [
        (max(fill.traded_at, attempt.created_at), 1, fill.pk, _fill(intent, attempt, fill))
        for intent in rows.intents
        for attempt in intent.attempts.all()
        for fill in attempt.fills.all()
    ]
    return tuple(entry[-1] for entry in sorted(told, key=lambda entry: entry[:3]))


def process_of(source: str) -> str:
    """A process as people call it: `runconsumer:71` is the consumer with the process id 71."""
    role, _, pid = source.partition(":")
    return f"{PROCESSES.get(role, role)} {pid.rpartition(':')[2]}".strip()


def _event(event: Event, intents: Mapping[int, OrderIntent]) -> Line:
    intent = intents.get(event.intent_id or 0)
    values = {**(_of_intent(intent, event) if intent else {}), **event.data}
    act, text = say(event.kind, values)
    return Line(
        event.at, _who(event, intent), process_of(event.source), act, text, tuple(_ids(event, event.data))
    )


def _who(event: Event, intent: OrderIntent | None) -> str:
    if by := event.data.get("by"):
        return f"Operator {by}"
    if event.kind in _ANSWERS:
        return EXCHANGE
    if intent is not None:
        return _OWNERS[Owner(intent.owner)]
    guards = event.kind.startswith("guard.") or event.kind == EventKind.POSITION_RECOGNISED
    return SAFETY_NET if guards else CORE


def _of_intent(intent: OrderIntent, event: Event) -> dict[str, Any]:
    """What the event leaves to the rows of its order."""
    values: dict[str, Any] = {"order_side": intent.order_side, "symbol": intent.slot.symbol}
    quantity, quote = event.data.get("quantity"), event.data.get("quote")
    if quantity and quote and Decimal(quantity):
        values["average"] = to_wire(round(Decimal(quote) / Decimal(quantity), 8))
    sent = next((one for one in intent.attempts.all() if one.number == event.data.get("attempt")), None)
    if sent is not None:
        values["sent_quantity"] = to_wire(sent.quantity or intent.quantity)
        values["signed_at"] = f"{_from_ms(sent.timestamp_ms):%H:%M:%S.%f}"[:-3]
    return values


def _ids(event: Event, data: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "event", str(event.pk)
    for name, pk in (("intent", event.intent_id), ("guard", event.guard_id)):
        if pk is not None:
            yield name, str(pk)
    for name, label in _IDS.items():
        if value := data.get(name):
            yield label, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _fill(intent: OrderIntent, attempt: OrderAttempt, fill: Fill) -> Line:
    fee = f", fee {to_wire(fill.commission)} {fill.commission_asset}"
    text = f"Trade: {intent.order_side} {to_wire(fill.quantity)} at {to_wire(fill.price)}{fee}"
    ids = (
        ("trade", str(fill.trade_id)),
        ("order", attempt.order_id),
        ("client order", attempt.client_order_id),
    )
    return Line(fill.traded_at, f"{EXCHANGE}, by its clock", "", Act.ANSWERED, text, ids)


def _from_ms(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
