"""The verdict: what the exchange's ledger and Robson's event log say, whatever a drill looked at itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from robson.local import logfiles
from safetynet.models import GuardedPosition
from tests.drills.scene import Scene
from trading.domain.client_ids import parse_client_id
from trading.domain.lifecycle import (
    GUARD_TRANSITIONS,
    INTENT_TRANSITIONS,
    LIVE_GUARD_STATES,
    LIVE_INTENT_STATES,
    MANAGED_STATES,
    POSITION_TRANSITIONS,
)
from trading.models import Event, OrderAttempt, OrderIntent, Position

_FILLED = ("intent.filled", "intent.partially_filled")
_UNEXPECTED = b"an error nobody expected"


@dataclass(frozen=True)
class Wrong:
    """One thing that is not as it must be."""

    expected: str
    seen: str


def judge(scene: Scene, *, exits: int, revives: bool) -> list[Wrong]:
    """All that is wrong, nothing if the drill has passed."""
    return [
        *_ledger(scene),
        *_exits(scene, exits),
        *_protection(scene),
        *_nothing_left(scene),
        *_events(scene),
        *_logs(scene),
        *(() if revives else _ends(scene)),
    ]


def violations(scene: Scene) -> list[dict[str, Any]]:
    """What the exchange's ledger holds against this drill's account."""
    found = scene.stage.exchange.ledger()["violations"]
    return [one for one in found if one["api_key"] == scene.api_key]


def _ledger(scene: Scene) -> Iterator[Wrong]:
    ledger = scene.stage.exchange.ledger()
    for one in violations(scene):
        yield Wrong("no violation in the exchange's ledger", str(one))
    for one in ledger["leftover_debts"]:
        if one["api_key"] == scene.api_key:
            yield Wrong("no debt left", str(one))
    if ledger["imbalance"]:
        yield Wrong("a ledger that balances", str(ledger["imbalance"]))
    for pair in _pairs(ledger, scene.api_key):
        if pair["side"] != "flat":
            yield Wrong(f"{pair['symbol']} flat in the end", f"{pair['side']} {pair['position']}")


def _pairs(ledger: dict[str, Any], api_key: str) -> list[dict[str, Any]]:
    return [
        pair for account in ledger["accounts"] if account["api_key"] == api_key for pair in account["pairs"]
    ]


def _exits(scene: Scene, expected: int) -> Iterator[Wrong]:
    found = scene.exits()
    if len(found) != expected:
        names = [order["client_order_id"] for order in found]
        yield Wrong(f"{expected} exit orders executed at the exchange", f"{len(found)}: {names}")


def _protection(scene: Scene) -> Iterator[Wrong]:
    seen = scene.exposure
    for symbol in seen.touched:
        yield Wrong(f"an end of the position in {symbol}, whose stop was touched", "none")
    worst = seen.worst
    if worst is not None and worst.charged_s > seen.allowed_s:
        yield Wrong(
            f"unprotected for {seen.allowed_s:.1f} s at most: {seen.allowed_for}",
            f"{worst.seconds:.1f} s, of which an outage of {worst.outage_s:.1f} s",
        )


def _nothing_left(scene: Scene) -> Iterator[Wrong]:
    mine = {"slot__account": scene.account}
    for model, states in (
        (Position, MANAGED_STATES),
        (GuardedPosition, LIVE_GUARD_STATES),
        (OrderIntent, LIVE_INTENT_STATES),
    ):
        for row in model.objects.filter(state__in=states, **mine):
            yield Wrong("nothing under way in the end", f"{row} is {row.state}")


def _events(scene: Scene) -> Iterator[Wrong]:
    """Each row's events lead to the state that it is in, and each executed order is told once, as it was."""
    mine = {"slot__account": scene.account}
    for position in Position.objects.filter(**mine):
        yield from _replayed(position, POSITION_TRANSITIONS, intent=None, position=position)
    for guard in GuardedPosition.objects.filter(**mine):
        yield from _replayed(guard, GUARD_TRANSITIONS, intent=None, guard_id=guard.pk)
    for intent in OrderIntent.objects.filter(**mine):
        yield from _replayed(intent, INTENT_TRANSITIONS, intent=intent)
    for order in scene.orders():
        if parse_client_id(order["client_order_id"]) and Decimal(order["executed"]):
            yield from _told(order)


def _replayed(row: Any, table: Any, **about: Any) -> Iterator[Wrong]:
    kinds = {str(kind) for kind in table.values()}
    steps = [event.kind for event in Event.objects.filter(kind__in=kinds, **about)]
    reachable = {_first_state(table)}
    for kind in steps:
        reachable = {new for (old, new), step in table.items() if step == kind and old in reachable}
    if row.state not in reachable:
        yield Wrong(f"events that lead {row} to {row.state}", f"{steps} lead to {sorted(reachable)}")


def _first_state(table: Any) -> Any:
    return next(iter(table))[0]


def _told(order: dict[str, Any]) -> Iterator[Wrong]:
    name, executed = order["client_order_id"], Decimal(order["executed"])
    attempt = OrderAttempt.objects.filter(client_order_id=name, order_id=str(order["order_id"])).first()
    if attempt is None or attempt.status != "executed":
        yield Wrong(f"{name} recorded as executed", attempt.status if attempt else "not recorded")
        return
    recorded = attempt.fills.aggregate(Sum("quantity"))["quantity__sum"]
    if recorded != executed:
        yield Wrong(f"fills of {executed} recorded for {name}", str(recorded))
    told = [
        Decimal(event.data["quantity"])
        for event in Event.objects.filter(kind__in=_FILLED, intent=attempt.intent)
        if event.data["client_order_id"] == name
    ]
    if told != [executed]:
        yield Wrong(f"one event that tells of {name}, {executed}", str(told))


def _logs(scene: Scene) -> Iterator[Wrong]:
    for file in logfiles.path("any").parent.glob("*.log"):
        if _UNEXPECTED in logfiles.read_from(file.stem, scene.logs.get(file.stem, 0)):
            yield Wrong("no error that nobody expected", f"one in {file.name}")


def _ends(scene: Scene) -> Iterator[Wrong]:
    for line in scene.stage.programs.ended:
        yield Wrong("no process that ends by itself", line)
