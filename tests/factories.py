"""Rows for tests that need a database: plain functions, each with the least that the constraints demand."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from safetynet.models import GuardedPosition, PollState
from trading.domain.lifecycle import GuardState, IntentState, PositionState
from trading.domain.stops import safety_stop
from trading.domain.types import Side, Venue
from trading.models import Account, Heartbeat, OrderIntent, Position, Slot
from trading.models.intent import Owner, Purpose

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def account(name: str = "main", **fields: Any) -> Account:
    """The account of this name, created unless it exists. Its credentials are the variables BINANCE_API_*."""
    return Account.objects.get_or_create(name=name, defaults=fields)[0]


def everything_works(
    *accounts: Account, at: datetime | None = None, prices: Mapping[str, Decimal | str] | None = None
) -> None:
    """The consumer's heartbeat and a good poll of each account (of main, if none is named), a moment ago.

    `prices` are those that the consumer has just heard, by symbol.
    """
    now = at or datetime.now(UTC)
    told = {
        symbol: {"price": str(price), "at_ms": int(now.timestamp() * 1000), "age_s": 0.0, "source": "stream"}
        for symbol, price in (prices or {}).items()
    }
    beat = {"at": now, "data": {"symbols": sorted(told), "stale": [], "prices": told}}
    Heartbeat.objects.update_or_create(name="consumer", defaults=beat)
    for one in accounts or (account(),):
        PollState.objects.update_or_create(
            account=one, defaults={"last_started_at": now, "last_success_at": now}
        )


def slot(symbol: str = "BTCUSDT", side: Side = Side.LONG, *, of: Account | None = None) -> Slot:
    return Slot.objects.get_or_create(
        account=of or account(), venue=Venue.ISOLATED_MARGIN, symbol=symbol, side=side
    )[0]


def core_position(
    symbol: str = "BTCUSDT",
    side: Side = Side.LONG,
    *,
    state: PositionState = PositionState.ACTIVE,
    of: Account | None = None,
    entry: Decimal | str = "60000",
    quantity: Decimal | str = "0.01",
    distance: Decimal | str = "1200",
    **fields: Any,
) -> Position:
    """A Core position in any state: what has been filled has entry (quote), quantity (base) and a stop."""
    price, gap = Decimal(entry), Decimal(distance)
    values: dict[str, Any] = {"capital": Decimal(1000), "risk_percent": Decimal(1)}
    if state in {PositionState.ACTIVE, PositionState.EXITING, PositionState.CLOSED}:
        values |= {
            "quantity": Decimal(quantity),
            "entry_price": price,
            "distance": gap,
            "extreme_price": price,
            "stop_price": price - gap if side is Side.LONG else price + gap,
            "opened_at": NOON,
        }
    return Position.objects.create(slot=slot(symbol, side, of=of), state=state, **(values | fields))


def guard(
    symbol: str = "BTCUSDT",
    side: Side = Side.LONG,
    *,
    state: GuardState = GuardState.GUARDING,
    of: Account | None = None,
    entry: Decimal | str = "60000",
    quantity: Decimal | str = "0.01",
    **fields: Any,
) -> GuardedPosition:
    """A guarded position with its stop 2 % from the entry price."""
    price = Decimal(entry)
    values: dict[str, Any] = {"stop_price": safety_stop(side, price)} | fields
    return GuardedPosition.objects.create(
        slot=slot(symbol, side, of=of), state=state, entry_price=price, quantity=Decimal(quantity), **values
    )


def intent(
    of: Slot,
    *,
    purpose: Purpose = Purpose.EXIT,
    owner: Owner = Owner.CORE,
    state: IntentState = IntentState.PENDING,
    quantity: Decimal | str = "0.01",
    **fields: Any,
) -> OrderIntent:
    """An order intent as `execution.claim` leaves it, without its event."""
    side = of.position_side
    values: dict[str, Any] = {
        "reason": "test",
        "order_side": side.entry_order if purpose is Purpose.ENTRY else side.exit_order,
    }
    return OrderIntent.objects.create(
        slot=of, purpose=purpose, owner=owner, state=state, quantity=Decimal(quantity), **(values | fields)
    )
