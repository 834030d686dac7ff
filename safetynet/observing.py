"""What one poll sees: the whole account in a fixed number of questions, however many positions there are."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import Error as DatabaseError
from django.db.models import Q

from safetynet.domain import ZERO, CorePart, GuardView, Ownership, Situation
from safetynet.models import Exemption, GuardedPosition
from trading import queries
from trading.domain.lifecycle import LIVE_GUARD_STATES, GuardState, PositionState
from trading.domain.rounding import to_wire
from trading.domain.types import MarginPair, Side, SlotKey, Venue
from trading.exchange.errors import ExchangeError
from trading.execution import Desk
from trading.queries import Account, CoreHolding

log = logging.getLogger(__name__)

VENUE = Venue.ISOLATED_MARGIN


@dataclass(frozen=True, slots=True)
class Sight:
    """One poll's view of an account. `core` is None when the database could not say what Core owns.

    `priced_at` is when the prices were received.
    """

    guards: Mapping[SlotKey, GuardedPosition]
    exempt: frozenset[SlotKey]
    core: Mapping[SlotKey, CorePart] | None
    pairs: Mapping[str, MarginPair]
    prices: Mapping[str, Decimal]
    priced_at: datetime


def observe(account: Account, desk: Desk) -> Sight:
    """Read everything. Raises ExchangeError or DatabaseError, and then nothing may be concluded.

    What Core owns is read before and after the balances: an entry or an exit that happens in between is
    Core's in one of the two. Prices come last, so that the stops are judged by fresh ones.
    """
    before = _core(account)
    guards = live_guards(account)
    exempt = exempt_slots(account, desk.clock())
    pairs = _pairs(desk, guards)
    core = _either(before, _core(account))
    prices = desk.exchange.prices()
    return Sight(guards, exempt, core, pairs, prices, priced_at=desk.clock())


def _pairs(desk: Desk, guards: Mapping[SlotKey, GuardedPosition]) -> Mapping[str, MarginPair]:
    """All pairs; what the account's answer leaves out of those that are guarded is asked for by name."""
    pairs = desk.exchange.margin_pairs()
    left_out = {key.symbol for key in guards} - pairs.keys()
    if not left_out:
        return pairs
    try:
        return {**pairs, **desk.exchange.margin_pairs(left_out)}
    except ExchangeError as error:
        log.error("Safety Net: nothing is told of %s: %s", ", ".join(sorted(left_out)), error)
        return pairs


def live_guards(account: Account) -> dict[SlotKey, GuardedPosition]:
    live = GuardedPosition.objects.select_related("slot__account").filter(
        slot__account=account, state__in=LIVE_GUARD_STATES
    )
    return {guard.slot.key: guard for guard in live}


def exempt_slots(account: Account, now: datetime) -> frozenset[SlotKey]:
    exemptions = Exemption.objects.select_related("slot__account").filter(
        in_force(now), slot__account=account
    )
    return frozenset(exemption.slot.key for exemption in exemptions)


def in_force(now: datetime) -> Q:
    """Exemptions that hold at this time."""
    return Q(ended_at__isnull=True, until__gt=now)


def situations(sight: Sight, account: str, dismissed: Mapping[str, str]) -> list[Situation]:
    """One for every slot that holds something or is guarded, but for those of which nothing is told."""
    found = {key: pair for pair in sight.pairs.values() if (key := _slot_of(account, pair)) is not None}
    told = sorted({*found, *sight.guards} - set(untold(sight)))
    return [_situation(sight, key, found.get(key), dismissed) for key in told]


def untold(sight: Sight) -> list[SlotKey]:
    """Guarded slots whose pair the account's answer leaves out: that does not mean flat."""
    return [key for key in sight.guards if key.symbol not in sight.pairs]


def owned_quantity(sight: Sight, account: str, symbol: str) -> Decimal:
    """Signed base currency that Core holds in a pair, whatever the side."""
    core = sight.core or {}
    long, short = (core.get(SlotKey(account, VENUE, symbol, side)) for side in (Side.LONG, Side.SHORT))
    return (long.quantity if long else ZERO) - (short.quantity if short else ZERO)


def view(guard: GuardedPosition) -> GuardView:
    """A guard's row as decisions see it."""
    return GuardView(
        guard_id=guard.pk,
        state=GuardState(guard.state),
        stop=guard.stop_price,
        balances=guard.seen_balances,
        beside=guard.beside_position_id,
        touched=guard.touched_price is not None,
    )


def _situation(
    sight: Sight, key: SlotKey, pair: MarginPair | None, dismissed: Mapping[str, str]
) -> Situation:
    guard = sight.guards.get(key)
    core = sight.core.get(key) if sight.core is not None else None
    balances = _balances(pair, core) if pair else ""
    if sight.core is None:
        ownership = Ownership.UNKNOWN
    else:
        ownership = Ownership.OWNED if core else Ownership.NOT_OWNED
    return Situation(
        slot=key,
        ownership=ownership,
        held=abs(pair.base.net) if pair else ZERO,
        balances=balances,
        dismissed=dismissed.get(key.symbol) == balances,
        core=core,
        guard=view(guard) if guard else None,
        price=sight.prices.get(key.symbol),
        exempt=key in sight.exempt,
    )


def _slot_of(account: str, pair: MarginPair) -> SlotKey | None:
    if pair.base.net == 0:
        return None
    return SlotKey(account, VENUE, pair.symbol, Side.LONG if pair.base.net > 0 else Side.SHORT)


def _balances(pair: MarginPair, core: CorePart | None) -> str:
    """Both sides of the pair, since buying back the same quantity costs something, and whose it is."""
    owner = f" core {core.position_id} {to_wire(core.quantity)}" if core else ""
    return f"{to_wire(pair.base.net)} {to_wire(pair.quote.net)}{owner}"


def _core(account: Account) -> Mapping[SlotKey, CoreHolding] | None:
    try:
        return queries.core_holdings(account)
    except DatabaseError:
        log.exception("Safety Net: cannot tell what Core manages in the account %s", account)
        return None


def _either(
    before: Mapping[SlotKey, CoreHolding] | None, after: Mapping[SlotKey, CoreHolding] | None
) -> dict[SlotKey, CorePart] | None:
    if before is None or after is None:
        return None
    # Closed meanwhile: what the exchange showed may still be Core's, so it is taken as being on its way out.
    gone = {key: _part(held, PositionState.EXITING) for key, held in before.items() if key not in after}
    return gone | {key: _part(held, PositionState(held.state)) for key, held in after.items()}


def _part(held: CoreHolding, state: PositionState) -> CorePart:
    return CorePart(held.position_id, state, held.quantity)
