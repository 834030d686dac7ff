"""Positions as the pages show them: only what is shown, so that equal cards look the same."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.conf import settings
from django.urls import reverse

from robson.holdings import NOT_FOUND_YET, Holding
from robson.protection import Price

CENT = Decimal("0.01")
# The poll brings a price every 20 seconds, a stream all the time.
POLLED_PRICE_OLD_S = 60
PROCESSES = (
    "See that the consumer and the workers run (`make run`, or `docker compose up -d`), and what their logs "
    "say. Until then only you can close it, in the Binance app."
)
ADVICE = {
    NOT_FOUND_YET: "The next poll should guard it, within 20 s. If it stays so, close it in the Binance app.",
    "is switched off": "Switch the account on in the admin, or look after this position yourself.",
}


class Tone(StrEnum):
    """How loud something is."""

    CALM = "calm"
    EXEMPT = "exempt"
    LOUD = "loud"


@dataclass(frozen=True, slots=True)
class Card:
    """One live position. Prices in quote currency, quantity in base; `left` is the share of the room left."""

    key: str
    kind: str
    id: int
    account: str
    symbol: str
    side: str
    state: str
    tone: Tone
    exposed: bool
    protected_by: str
    because: str
    advice: str
    note: str
    quantity: Decimal | None
    entry: Decimal | None
    stop: Decimal | None
    price: Decimal | None
    price_at: datetime | None
    price_source: str
    price_is_old: bool
    room: Decimal | None
    room_percent: Decimal | None
    left: Decimal | None
    unrealised: Decimal | None
    since: datetime
    url: str


@dataclass(frozen=True, slots=True)
class Ended:
    """One that is over. `profit` is None where it is not known."""

    kind: str
    id: int
    account: str
    symbol: str
    side: str
    state: str
    at: datetime
    exit_price: Decimal | None
    profit: Decimal | None
    note: str
    url: str


def card(one: Holding) -> Card:
    last = one.last
    return Card(
        key=f"{one.kind}-{one.id}",
        kind=one.kind,
        id=one.id,
        account=one.account,
        symbol=one.symbol,
        side=one.side,
        state=one.state,
        tone=_tone(one),
        exposed=one.exposed,
        protected_by=one.protected_by,
        because=one.unprotected_because,
        advice=_advice(one),
        note=one.note,
        quantity=one.quantity,
        entry=one.entry_price,
        stop=one.stop_price,
        price=one.price,
        price_at=last.at.replace(microsecond=0) if last else None,
        price_source=last.source if last else "",
        price_is_old=last is not None and _is_old(last),
        room=one.to_stop,
        room_percent=rounded(one.to_stop_percent, CENT),
        left=_left(one),
        unrealised=rounded(one.unrealised, CENT),
        since=one.since,
        url=url_of(one.kind, one.id),
    )


def ended(one: Holding) -> Ended:
    return Ended(
        kind=one.kind,
        id=one.id,
        account=one.account,
        symbol=one.symbol,
        side=one.side,
        state=one.state,
        at=one.closed_at or one.since,
        exit_price=one.exit_price,
        profit=rounded(one.profit, CENT),
        note=one.note,
        url=url_of(one.kind, one.id),
    )


def url_of(kind: str, pk: int) -> str:
    """Its page."""
    return reverse(f"desk:{'guard' if kind == 'guard' else 'position'}", args=[pk])


def _tone(one: Holding) -> Tone:
    if one.exposed and one.unprotected_because:
        return Tone.LOUD
    return Tone.EXEMPT if one.exempt else Tone.CALM


def _advice(one: Holding) -> str:
    if not one.unprotected_because:
        return ""
    return next((what for why, what in ADVICE.items() if why in one.unprotected_because), PROCESSES)


def _is_old(price: Price) -> bool:
    limit = POLLED_PRICE_OLD_S if price.source == "poll" else 2 * settings.FEED_AGE_LIMIT_S
    return price.silent_s > limit


def _left(one: Holding) -> Decimal | None:
    """How much of the stop's distance the price still has before it: 0 to 1."""
    if one.to_stop is None or not one.distance:
        return None
    return rounded(max(Decimal(0), min(Decimal(1), one.to_stop / one.distance)), CENT)


def rounded(value: Decimal | None, step: Decimal) -> Decimal | None:
    """To a multiple of a step such as CENT."""
    return None if value is None else value.quantize(step)
