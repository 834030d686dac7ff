"""Everything that is armed, open or guarded, of Core and of the Safety Net, in one list."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from robson.protection import Guards, Price, guards
from safetynet.models import Exemption, GuardedPosition
from trading.domain.clocks import age
from trading.domain.lifecycle import (
    LIVE_GUARD_STATES,
    MANAGED_STATES,
    OWNED_STATES,
    GuardState,
    PositionState,
)
from trading.domain.types import Side
from trading.models import Account, Position

PROTECTORS = {
    PositionState.ARMED: "waiting for a crossover",
    PositionState.ENTERING: "Core, entry under way",
    PositionState.ACTIVE: "Core, trailing stop",
    PositionState.EXITING: "Core, exit under way",
    PositionState.ERROR: "not Core any more: look at it",
}
# Two looks of the reconciliation, and the time that a trade may take to show.
UNTOLD_AFTER = timedelta(seconds=90)
NOT_FOUND_YET = "it was filled and has no stop, and the Safety Net does not guard it yet"


@dataclass(frozen=True, slots=True)
class Holding:
    """One line. Prices and distance in quote currency, quantity in base; None where there is none yet.

    `exposed`: money is at stake, or may be. `unprotected_because` says why nobody would close it at its stop;
    an exempt one is not counted as unprotected, since its owner wants it so. `distance` is the stop's from
    where it was placed, `to_stop` the last price's room before the stop, negative once it is past it.
    """

    kind: str
    id: int
    account: str
    symbol: str
    side: str
    state: str
    quantity: Decimal | None
    entry_price: Decimal | None
    stop_price: Decimal | None
    distance: Decimal | None
    exposed: bool
    exempt: bool
    unprotected_because: str
    protected_by: str
    last: Price | None
    since: datetime
    closed_at: datetime | None
    exit_price: Decimal | None
    profit: Decimal | None
    """After fees for Core, before fees for what was opened by hand: its entry's are not known."""
    note: str

    @property
    def protected(self) -> bool:
        """Somebody would close it at its stop, or there is nothing to close."""
        return not self.unprotected_because and not self.exempt

    def told(self) -> dict[str, Any]:
        """All of it, what follows from the last price included, for JSON."""
        last = self.last
        return {
            **{field.name: getattr(self, field.name) for field in fields(self) if field.name != "last"},
            "protected": self.protected,
            "price": self.price,
            "price_at": None if last is None else last.at,
            "price_age_s": None if last is None else round(last.age_s, 1),
            "price_source": None if last is None else last.source,
            "to_stop": self.to_stop,
            "unrealised": self.unrealised,
        }

    @property
    def price(self) -> Decimal | None:
        """The last price that is known, in quote currency."""
        return None if self.last is None else self.last.price

    @property
    def distance_percent(self) -> Decimal | None:
        """The distance as a percentage of the entry price."""
        return _percent(self.distance, self.entry_price)

    @property
    def to_stop(self) -> Decimal | None:
        return self._gain(self.stop_price) if self.exposed else None

    @property
    def to_stop_percent(self) -> Decimal | None:
        """The room before the stop as a percentage of the last price."""
        return _percent(self.to_stop, self.price)

    @property
    def unrealised(self) -> Decimal | None:
        """What closing at the last price would bring, in quote currency, before fees."""
        gain = self._gain(self.entry_price) if self.exposed else None
        return None if gain is None or self.quantity is None else gain * self.quantity

    def _gain(self, since: Decimal | None) -> Decimal | None:
        if self.price is None or since is None:
            return None
        return self.price - since if self.side == Side.LONG else since - self.price


def holdings(accounts: Iterable[Account], *, now: datetime, history: int = 0) -> list[Holding]:
    """What is live on these accounts, by symbol; with `history`, also as many of the latest ended ones."""
    chosen, known = list(accounts), guards(now)
    core = Position.objects.select_related("slot__account").filter(slot__account__in=chosen)
    guarded = GuardedPosition.objects.select_related("slot__account").filter(slot__account__in=chosen)
    exempt = exemptions(chosen, now)
    live = [_managed(position, known) for position in core.filter(state__in=MANAGED_STATES)]
    # Error is not managed any more, and it is what the owner must see first.
    live += _failed(core, guarded, known)
    live += [
        _guard(guard, exempt.get(guard.slot_id), known)
        for guard in guarded.filter(state__in=LIVE_GUARD_STATES)
    ]
    live.sort(key=lambda one: (one.account, one.symbol, one.side, one.kind))
    return live + (_ended(core, guarded, known, history) if history else [])


def unprotected(now: datetime) -> list[Holding]:
    """What nobody would close at its stop, over all accounts; without what its owner has exempted."""
    every = holdings(Account.objects.all(), now=now)
    return [one for one in every if one.exposed and one.unprotected_because]


def exemptions(accounts: Iterable[Account], now: datetime) -> dict[int, Exemption]:
    """The exemptions in force, by slot."""
    found = Exemption.objects.select_related("slot__account").filter(
        slot__account__in=list(accounts), until__gt=now, ended_at__isnull=True
    )
    return {exemption.slot_id: exemption for exemption in found.order_by("until")}


def _ended(
    core: QuerySet[Position], guarded: QuerySet[GuardedPosition], known: Guards, most: int
) -> list[Holding]:
    ended = core.filter(closed_at__isnull=False).order_by("-closed_at")[:most]
    old = [_core(one, known) for one in ended]
    old += [
        _guard(one, None, known)
        for one in guarded.filter(closed_at__isnull=False).order_by("-closed_at")[:most]
    ]
    return sorted(old, key=lambda one: one.closed_at or one.since, reverse=True)[:most]


def _managed(position: Position, known: Guards) -> Holding:
    if position.state not in OWNED_STATES:
        return _core(position, known)
    because = _gone(position, known.at) or known.without_core(position.slot.account, position.slot.symbol)
    return _core(position, known, because, exposed=True)


def _gone(position: Position, now: datetime) -> str:
    """That reconciliation misses it at the exchange, for longer than a close by hand takes to be told."""
    since = position.missing_since
    if since is None or age(since, now) < UNTOLD_AFTER:
        return ""
    return f"the exchange holds less than it since {since:%Y-%m-%d %H:%M} UTC, and no trade tells why"


def _failed(core: QuerySet[Position], guarded: QuerySet[GuardedPosition], known: Guards) -> Iterable[Holding]:
    """Filled, and without a stop of Core's: at stake until the Safety Net has found it and guards it."""
    failed = list(core.filter(state=PositionState.ERROR))
    latest = guarded.filter(slot__in=[position.slot_id for position in failed]).order_by("opened_at")
    taken_over = {guard.slot_id: guard.opened_at for guard in latest}
    for position in failed:
        found = taken_over.get(position.slot_id)
        at_stake = found is None or found < position.armed_at
        yield _core(position, known, NOT_FOUND_YET if at_stake else "", exposed=at_stake)


def _core(position: Position, known: Guards, because: str = "", *, exposed: bool = False) -> Holding:
    slot, opened = position.slot, position.entry_price is not None
    return Holding(
        kind="core",
        id=position.pk,
        account=slot.account.name,
        symbol=slot.symbol,
        side=slot.side,
        state=position.state,
        quantity=position.quantity if opened else None,
        entry_price=position.entry_price,
        stop_price=position.stop_price,
        distance=position.distance if opened else None,
        exposed=exposed,
        exempt=False,
        unprotected_because=because,
        protected_by=f"NOBODY: {because}" if because else _protector(position, known, exposed=exposed),
        last=known.prices.get(slot.symbol) if position.closed_at is None else None,
        since=position.opened_at or position.armed_at,
        closed_at=position.closed_at,
        exit_price=position.exit_price,
        profit=position.realised_pnl,
        note=position.exit_reason or position.note or _missing(position),
    )


def _missing(position: Position) -> str:
    return "not found at the exchange: looking again" if position.missing_since else ""


def _protector(position: Position, known: Guards, *, exposed: bool) -> str:
    if exposed and not known.consumer_works:
        age_s = known.poll_age_s.get(position.slot.account_id)
        return f"the poll, {age_s or 0:.0f} s ago, in place of the silent consumer"
    return PROTECTORS.get(PositionState(position.state), "")


def _guard(guard: GuardedPosition, exemption: Exemption | None, known: Guards) -> Holding:
    slot, live = guard.slot, guard.closed_at is None
    because = _unseen(guard, known) if live and exemption is None else ""
    return Holding(
        kind="guard",
        id=guard.pk,
        account=slot.account.name,
        symbol=slot.symbol,
        side=slot.side,
        state=guard.state,
        quantity=guard.quantity,
        entry_price=guard.entry_price,
        stop_price=guard.stop_price,
        distance=abs(guard.entry_price - guard.stop_price),
        exposed=live,
        exempt=exemption is not None,
        unprotected_because=because,
        protected_by=_protector_of_guard(exemption, because) if live else "",
        last=known.last_of(slot.symbol, guard.last_price, guard.last_seen_at) if live else None,
        since=guard.opened_at,
        closed_at=guard.closed_at,
        exit_price=guard.exit_price,
        profit=guard.result,
        note=_guard_note(guard, exemption),
    )


def _unseen(guard: GuardedPosition, known: Guards) -> str:
    """Why nobody compares its price with its stop, or nothing. A poll that fails elsewhere may see it."""
    seen_at = guard.last_seen_at if guard.state == GuardState.GUARDING else None
    return known.without_safety_net(guard.slot.account, seen_at)


def _protector_of_guard(exemption: Exemption | None, because: str) -> str:
    if exemption is not None:
        return f"nobody: exempt until {exemption.until:%Y-%m-%d %H:%M} UTC"
    return f"NOBODY: {because}" if because else "Safety Net, fixed stop"


def _guard_note(guard: GuardedPosition, exemption: Exemption | None) -> str:
    if guard.end_reason:
        return guard.end_reason
    if exemption is not None:
        return exemption.reason
    return "entry price not known: guarded from the price found" if guard.entry_is_provisional else ""


def _percent(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    return None if part is None or not whole else part / whole * 100
