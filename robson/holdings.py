"""Everything that is armed, open or guarded, of Core and of the Safety Net, in one list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from safetynet.models import Exemption, GuardedPosition
from trading.domain.lifecycle import LIVE_GUARD_STATES, MANAGED_STATES, PositionState
from trading.models import Account, Position

PROTECTORS = {
    PositionState.ARMED: "waiting for a crossover",
    PositionState.ENTERING: "Core, entry under way",
    PositionState.ACTIVE: "Core, trailing stop",
    PositionState.EXITING: "Core, exit under way",
    PositionState.ERROR: "not Core any more: look at it",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """One line. Prices and distance in quote currency, quantity in base; None where there is none yet."""

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
    protected_by: str
    since: datetime
    closed_at: datetime | None
    exit_price: Decimal | None
    profit: Decimal | None
    note: str

    @property
    def distance_percent(self) -> Decimal | None:
        """The distance as a percentage of the entry price."""
        if self.distance is None or not self.entry_price:
            return None
        return self.distance / self.entry_price * 100


def holdings(accounts: Iterable[Account], *, now: datetime, history: int = 0) -> list[Holding]:
    """What is live on these accounts, by symbol; with `history`, also as many of the latest ended ones."""
    chosen = list(accounts)
    core = Position.objects.select_related("slot__account").filter(slot__account__in=chosen)
    guards = GuardedPosition.objects.select_related("slot__account").filter(slot__account__in=chosen)
    exempt = exemptions(chosen, now)
    live = [_core(position) for position in core.filter(state__in=MANAGED_STATES)]
    # Error is not managed any more, and it is what the owner must see first.
    live += [_core(position) for position in core.filter(state=PositionState.ERROR)]
    live += [_guard(guard, exempt.get(guard.slot_id)) for guard in guards.filter(state__in=LIVE_GUARD_STATES)]
    live.sort(key=lambda one: (one.account, one.symbol, one.side, one.kind))
    return live + (_ended(core, guards, history) if history else [])


def exemptions(accounts: Iterable[Account], now: datetime) -> dict[int, Exemption]:
    """The exemptions in force, by slot."""
    found = Exemption.objects.select_related("slot__account").filter(
        slot__account__in=list(accounts), until__gt=now, ended_at__isnull=True
    )
    return {exemption.slot_id: exemption for exemption in found.order_by("until")}


def _ended(core: QuerySet[Position], guards: QuerySet[GuardedPosition], most: int) -> list[Holding]:
    old = [_core(one) for one in core.filter(closed_at__isnull=False).order_by("-closed_at")[:most]]
    old += [_guard(one, None) for one in guards.filter(closed_at__isnull=False).order_by("-closed_at")[:most]]
    return sorted(old, key=lambda one: one.closed_at or one.since, reverse=True)[:most]


def _core(position: Position) -> Holding:
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
        protected_by=PROTECTORS.get(PositionState(position.state), ""),
        since=position.opened_at or position.armed_at,
        closed_at=position.closed_at,
        exit_price=position.exit_price,
        profit=position.realised_pnl,
        note=position.exit_reason or position.note,
    )


def _guard(guard: GuardedPosition, exemption: Exemption | None) -> Holding:
    slot = guard.slot
    protector = "Safety Net, fixed stop" if guard.closed_at is None else ""
    if exemption is not None:
        protector = f"nobody: exempt until {exemption.until:%Y-%m-%d %H:%M} UTC"
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
        protected_by=protector,
        since=guard.opened_at,
        closed_at=guard.closed_at,
        exit_price=guard.exit_price,
        profit=None,
        note=_guard_note(guard, exemption),
    )


def _guard_note(guard: GuardedPosition, exemption: Exemption | None) -> str:
    if guard.end_reason:
        return guard.end_reason
    if exemption is not None:
        return exemption.reason
    return "entry price not known: guarded from the price found" if guard.entry_is_provisional else ""
