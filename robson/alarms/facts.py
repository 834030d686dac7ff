"""From the event log to alarms: which facts the owner must hear of, and how they are put. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from robson.alarms.draft import Draft, Links
from robson.alarms.kinds import Kind, Severity
from trading.domain.events import EventKind
from trading.domain.rounding import people

OUTSIDE = "closed outside Robson"
BY_OWNER = "closed by hand"
GONE = "gone without a trade"
# The shortest that Binance bans for, if it does not say.
UNKNOWN_BAN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of the log, as far as alarms care. `slot` is empty for what is about an account."""

    id: int
    kind: str
    at: datetime
    account: str
    slot: str = ""
    slot_id: int | None = None
    position_id: int | None = None
    guard_id: int | None = None
    intent_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def alarm_of(fact: Fact) -> Draft | None:
    """The alarm that a fact stands for, None for the usual run of things."""
    rule = _RULES.get(fact.kind)
    try:
        return rule(fact) if rule else None
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        # One event that says what nobody expected must not keep the others from being told.
        text = f"Event {fact.id} ({fact.kind}) cannot be put into words: {type(error).__name__} {error}"
        return _once(fact, Kind.RECONCILIATION, Severity.WARNING, text)


def _position_closed(fact: Fact) -> Draft | None:
    reason = str(fact.data.get("reason", ""))
    if reason == OUTSIDE:
        text = f"It was closed outside Robson{_at_price(fact)}, not by an order of Robson's."
        return _once(fact, Kind.RECONCILIATION, Severity.WARNING, text)
    if "price" not in fact.data and "quantity" not in fact.data:
        # Its owner has seen to a position in error.
        return None
    if "price" not in fact.data:
        text = f"Its exit ({reason}) found nothing left to close at the exchange."
        return _once(fact, Kind.RECONCILIATION, Severity.WARNING, text)
    result = f", result {_number(fact, 'pnl')}" if fact.data.get("pnl") is not None else ""
    text = f"Closed {_number(fact, 'quantity')}{_at_price(fact)} ({reason}){result}."
    return _once(fact, Kind.EXIT_EXECUTED, Severity.INFO, text)


def _guard_closed(fact: Fact) -> Draft | None:
    reason = str(fact.data.get("reason", ""))
    if reason == BY_OWNER:
        return None
    if reason == GONE or fact.data.get("price") is None:
        text = f"What the Safety Net guarded is gone, and no trade tells why ({reason})."
        return _once(fact, Kind.RECONCILIATION, Severity.WARNING, text)
    text = f"The Safety Net closed {_number(fact, 'quantity')}{_at_price(fact)} ({reason})."
    return _once(fact, Kind.EXIT_EXECUTED, Severity.WARNING, text)


def _position_missing(fact: Fact) -> Draft:
    text = f"The exchange holds {_number(fact, 'missing')} less than it should. Robson looks again."
    return _once(fact, Kind.RECONCILIATION, Severity.WARNING, text)


def _position_reduced(fact: Fact) -> Draft:
    before, left = _number(fact, "before"), _number(fact, "quantity")
    text = (
        f"It was reduced outside Robson from {before} to {left}{_at_price(fact)}. Its stop is for the rest."
    )
    return _once(fact, Kind.RECONCILIATION, Severity.WARNING, text)


def _entry_failed(fact: Fact) -> Draft:
    why = fact.data.get("error") or fact.data.get("reason") or "nothing was executed"
    return _once(fact, Kind.ENTRY_FAILED, Severity.WARNING, f"The entry was not executed: {why}.")


def _disarmed(fact: Fact) -> Draft | None:
    """By Robson: the owner's own word names him."""
    return None if fact.data.get("by") else _entry_failed(fact)


def _position_failed(fact: Fact) -> Draft:
    text = f"The entry was filled{_at_price(fact, 'entry')}, but: {fact.data.get('error', 'it has no stop')}."
    return _once(fact, Kind.POSITION_ERROR, Severity.CRITICAL, text)


def _dust(fact: Fact) -> Draft:
    text = f"After {_number(fact, 'executed_quantity')} the rest is too small for an order. That is final."
    return _once(fact, Kind.DUST, Severity.INFO, text)


def _banned(fact: Fact) -> Draft:
    """One ban is seen by many processes: it is one alarm for as long as it lasts."""
    named = fact.data.get("until")
    until = datetime.fromisoformat(named) if named else fact.at + UNKNOWN_BAN
    says = f": {fact.data['error']}" if fact.data.get("error") else ""
    text = (
        f"The exchange refuses every call (HTTP {fact.data.get('http_status', '?')}) "
        f"until {until:%H:%M:%S} UTC{says}."
    )
    return Draft(
        kind=Kind.BAN,
        key=f"ban:{fact.account}",
        severity=Severity.CRITICAL,
        subject=f"account {fact.account}",
        text=text,
        at=fact.at,
        lasting=True,
        until=until,
        account=fact.account,
        links=_links(fact),
    )


_RULES: Mapping[str, Callable[[Fact], Draft | None]] = {
    EventKind.POSITION_CLOSED: _position_closed,
    EventKind.POSITION_MISSING: _position_missing,
    EventKind.POSITION_REDUCED: _position_reduced,
    EventKind.POSITION_CANCELLED: _entry_failed,
    EventKind.POSITION_DISARMED: _disarmed,
    EventKind.POSITION_FAILED: _position_failed,
    EventKind.GUARD_CLOSED: _guard_closed,
    EventKind.INTENT_DUST: _dust,
    EventKind.EXCHANGE_BANNED: _banned,
}

KINDS = tuple(_RULES)
"""The kinds of events that may be told; no other is read."""


def _once(fact: Fact, kind: Kind, severity: Severity, text: str) -> Draft:
    return Draft(
        kind=kind,
        key=f"event:{fact.id}",
        severity=severity,
        subject=fact.slot or f"account {fact.account}",
        text=text,
        at=fact.at,
        account=fact.account,
        links=_links(fact),
    )


def _links(fact: Fact) -> Links:
    return Links(fact.slot_id, fact.position_id, fact.guard_id, fact.intent_id, fact.id)


def _number(fact: Fact, name: str) -> str:
    value = fact.data.get(name)
    return "an unknown amount" if value is None else people(Decimal(str(value)))


def _at_price(fact: Fact, name: str = "price") -> str:
    return "" if fact.data.get(name) is None else f" at {_number(fact, name)}"
