"""What must be true when all is over: the ledger, the orders and the events, compared to the last digit."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from robson.local import logfiles
from safetynet.models import GuardedPosition
from simulator.positions import dust
from simulator.symbols import CATALOG
from tests.soak import replay
from tests.soak.oracle import Trail
from tests.soak.summary import Problem
from trading.domain.client_ids import parse_client_id
from trading.domain.lifecycle import LIVE_GUARD_STATES, LIVE_INTENT_STATES, MANAGED_STATES
from trading.models import Event, OrderAttempt, OrderIntent, Position
from trading.models.intent import AttemptStatus
from trading.planning import EARLY_READ_LASTS

Json = Mapping[str, Any]
ZERO = Decimal(0)


# What a log says when something happened that nobody had thought of.
UNTHOUGHT_OF = ("nobody expected", "inside a database transaction", "IllegalTransition", "IntegrityError")


def problems(ledger: Json, orders: Sequence[Json]) -> list[Problem]:
    """All that does not hold at the end of a run in which nothing is open any more."""
    return [
        *_open(ledger),
        *_debts(ledger),
        *(
            Problem(f"the simulator's books are out by {off} {asset}")
            for asset, off in ledger["imbalance"].items()
        ),
        *_orders(orders),
        *_unfinished(),
        *_events(),
    ]


def violations(ledger: Json, orders: Sequence[Json]) -> tuple[list[Problem], list[Problem]]:
    """What must never have been, at any moment; and what nobody could have prevented.

    An order of the owner's that was executed after Robson had read the balances and before its own order was
    executed: the exchange has nothing that would make one of them give way (docs/exactly-once.md).
    """
    found, crossed = [], []
    for one in ledger["violations"]:
        by_hand = _crossing(one, orders)
        if by_hand is None:
            found.append(_violation(one))
        else:
            told = f"{_violation(one).what}, crossing the owner's order {by_hand['order_id']}"
            crossed.append(Problem(told, one["symbol"]))
    return found, crossed


def _crossing(violation: Json, orders: Sequence[Json]) -> Json | None:
    attempt = OrderAttempt.objects.filter(client_order_id=violation["client_order_id"]).first()
    if attempt is None:
        return None
    since_ms = attempt.timestamp_ms - EARLY_READ_LASTS / timedelta(milliseconds=1)
    by_hand = (order for order in orders if order["by_hand"] and order["symbol"] == violation["symbol"])
    return next((o for o in by_hand if since_ms <= o["time_ms"] <= violation["time_ms"]), None)


def unthought_of(names: Iterable[str]) -> list[Problem]:
    """Lines of the logs with these names that tell of an error which nobody had thought of."""
    return [
        Problem(f"{name}: {line[:300]}")
        for name in names
        for line in logfiles.path(name).read_text(encoding="utf-8", errors="replace").splitlines()
        if any(sign in line for sign in UNTHOUGHT_OF)
    ]


def stops(trails: Mapping[int, Trail]) -> list[Problem]:
    """Each stop that fired in the consumer stood where it would have without any outage, to the tick."""
    found = []
    fired = Position.objects.select_related("slot").filter(exit_reason="trailing stop", pk__in=trails.keys())
    for position in fired:
        trail, stop = trails[position.pk], position.stop_price or ZERO
        if trail.touched_at is not None and abs(stop - trail.stop) > CATALOG[position.slot.symbol].tick:
            told = f"{stop.normalize():f}, which should be {trail.stop.normalize():f}"
            found.append(Problem(f"{position} fired at a stop of {told}", position.slot.symbol))
    return found


def _violation(one: Json) -> Problem:
    what = f"{one['kind']}: order {one['order_id']} ({one['client_order_id']}) took the position"
    return Problem(f"{what} from {one['before']} to {one['after']}", one["symbol"])


def _pairs(ledger: Json) -> Iterable[Json]:
    return (pair for account in ledger["accounts"] for pair in account["pairs"])


def _open(ledger: Json) -> list[Problem]:
    return [
        Problem(f"still open: {pair['side']} {pair['position']}", pair["symbol"])
        for pair in _pairs(ledger)
        if pair["side"] != "flat"
    ]


def _debts(ledger: Json) -> list[Problem]:
    """A debt that could still be paid back. Below the exchange's minimum it is dust, which is final."""
    found = []
    for pair in ledger["leftover_debts"]:
        info = CATALOG[pair["symbol"]]
        base, quote = (Decimal(pair[a]["borrowed"]) + Decimal(pair[a]["interest"]) for a in ("base", "quote"))
        if base > dust(info, info.reference_price) * 2 or quote > info.min_notional:
            found.append(Problem(f"flat, but owes {base} {info.base} and {quote} {info.quote}", info.symbol))
    return found


def _orders(orders: Sequence[Json]) -> list[Problem]:
    """Each order of Robson's at the exchange has exactly one attempt, with its id and its fills."""
    attempts = {
        attempt.client_order_id: attempt
        for attempt in OrderAttempt.objects.select_related("intent").prefetch_related("fills")
    }
    ours = [order for order in orders if not order["by_hand"]]
    names = Counter(order["client_order_id"] for order in ours)
    found = [Problem(f"{name} was sent {count} times") for name, count in names.items() if count > 1]
    for order in ours:
        attempt = attempts.get(order["client_order_id"])
        if attempt is None or parse_client_id(order["client_order_id"]) is None:
            found.append(Problem(f"no attempt knows order {order['client_order_id']}", order["symbol"]))
        else:
            found += _told_as(order, attempt)
    return found + [
        Problem(f"{name} is recorded as executed, and the exchange does not know it")
        for name, attempt in attempts.items()
        if attempt.status == AttemptStatus.EXECUTED and name not in names
    ]


def _told_as(order: Json, attempt: OrderAttempt) -> list[Problem]:
    name, symbol, executed = order["client_order_id"], order["symbol"], Decimal(order["executed"])
    if attempt.status != AttemptStatus.EXECUTED:
        return [Problem(f"{name} executed {executed} and is recorded as {attempt.status}", symbol)]
    recorded = sum((fill.quantity for fill in attempt.fills.all()), ZERO)
    if (attempt.order_id, recorded) != (str(order["order_id"]), executed):
        told = f"order {attempt.order_id} with {recorded}"
        return [Problem(f"{name} is order {order['order_id']} with {executed}, recorded as {told}", symbol)]
    return []


def _unfinished() -> list[Problem]:
    intents = OrderIntent.objects.select_related("slot").filter(state__in=LIVE_INTENT_STATES)
    positions = Position.objects.select_related("slot").filter(state__in=MANAGED_STATES)
    guards = GuardedPosition.objects.select_related("slot").filter(state__in=LIVE_GUARD_STATES)
    left: list[OrderIntent | Position | GuardedPosition] = [*intents, *positions, *guards]
    return [Problem(f"{row} is still {row.state}", row.slot.symbol) for row in left]


def _events() -> list[Problem]:
    kinds: dict[tuple[str, int], list[str]] = defaultdict(list)
    for event in Event.objects.order_by("id").values("kind", "position_id", "intent_id", "guard_id"):
        family = event["kind"].partition(".")[0]
        subject = event.get(f"{family}_id")
        if isinstance(subject, int):
            kinds[family, subject].append(event["kind"])
    return [
        *_replays(Position.objects.all(), "position", kinds, replay.position),
        *_replays(OrderIntent.objects.all(), "intent", kinds, replay.intent),
        *_replays(GuardedPosition.objects.all(), "guard", kinds, replay.guard),
    ]


def _replays(
    rows: Iterable[Any],
    family: str,
    kinds: Mapping[tuple[str, int], list[str]],
    tell: Callable[[list[str]], str],
) -> list[Problem]:
    found = []
    for row in rows:
        try:
            state = tell(kinds.get((family, row.pk), []))
        except ValueError as error:
            found.append(Problem(f"the events of {family} {row.pk} do not add up: {error}"))
            continue
        if state != row.state:
            found.append(Problem(f"{family} {row.pk} is {row.state}, its events say {state}"))
    return found
