"""The story of one pair: what the owner did, what broke, what the exchange executed, what Robson decided."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from safetynet.models import GuardedPosition, PollState
from tests.soak.diary import Diary, Entry
from trading.models import Event, OrderIntent, Position

Json = Mapping[str, Any]


def of_pair(symbol: str, diary: Diary, orders: Iterable[Json]) -> list[str]:
    """Everything about a pair, in the order of time, a line each."""
    entries = [*diary.about(symbol), *_orders(symbol, orders), *_events(symbol)]
    return [_line(entry) for entry in sorted(entries, key=lambda entry: entry.at)]


def figures(orders: Sequence[Json]) -> Counter[str]:
    """How many positions, guards, exits and polls there were, by how they ended."""
    found: Counter[str] = Counter()
    for position in Position.objects.exclude(entry_price=None):
        found["Core opened"] += 1
        found[f"Core {_ending(position.exit_reason) or position.state}"] += 1
    for guard in GuardedPosition.objects.all():
        found["guards opened"] += 1
        found[f"guard {guard.end_reason or guard.state}"] += 1
    for intent in OrderIntent.objects.all():
        found[f"{intent.owner} {intent.purpose} {intent.state}"] += 1
    found["orders by hand"] = sum(1 for order in orders if order["by_hand"])
    found["orders by Robson"] = len(orders) - found["orders by hand"]
    found["polls"] = sum(PollState.objects.values_list("polls", flat=True))
    return found


def _ending(reason: str) -> str:
    return reason.partition(" (by ")[0]


def _orders(symbol: str, orders: Iterable[Json]) -> list[Entry]:
    return [
        Entry(
            order["received_wall_ns"] / 1e9,
            "exchange",
            f"{order['side']} {order['executed']} of {order['quantity']} {order['side_effect']}"
            f" {order['status']}: order {order['order_id']} {order['client_order_id']}",
            symbol,
        )
        for order in orders
        if order["symbol"] == symbol
    ]


def _events(symbol: str) -> list[Entry]:
    events = Event.objects.filter(slot__symbol=symbol).select_related("slot").order_by("id")
    return [_entry(event, symbol) for event in events]


def _entry(event: Event, symbol: str) -> Entry:
    subjects = {"position": event.position_id, "intent": event.intent_id, "guard": event.guard_id}
    about = " ".join(f"{name} {number}" for name, number in subjects.items() if number)
    side = event.slot.side if event.slot else ""
    data = ", ".join(f"{name}={value}" for name, value in event.data.items())
    return Entry(event.at.timestamp(), event.source, f"{event.kind} {side} {about}: {data}", symbol)


def _line(entry: Entry) -> str:
    moment = f"{datetime.fromtimestamp(entry.at, UTC):%H:%M:%S.%f}"[:-3]
    return f"{moment}  {entry.who:<22} {entry.symbol:<10} {entry.what}"
