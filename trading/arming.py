"""Arming and disarming: everything that can be refused is refused before anything is written."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from trading import journal
from trading.domain.events import EventKind
from trading.domain.lifecycle import MANAGED_STATES, PositionState
from trading.domain.rounding import to_wire
from trading.domain.sizing import position_size
from trading.domain.stops import MAX_SHARE, MIN_SHARE, StopPolicy, stop_distance
from trading.domain.trailing import BPS
from trading.domain.types import Candle, Side, SymbolRules
from trading.exchange.errors import ExchangeError, Refused
from trading.exchange.port import MAX_STREAMS, Exchange, Quotes
from trading.models import Account, Position, Slot

log = logging.getLogger(__name__)

AFTER_DISARMING = {
    PositionState.ARMED: PositionState.CANCELLED,
    # Core has let go of it already.
    PositionState.ERROR: PositionState.CLOSED,
}


class ArmRefused(Exception):
    """Nothing was armed; the text says why and what to do."""


class DisarmRefused(Exception):
    """Nothing was disarmed; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOrder:
    """What the owner asks for; None takes the account's default. Capital in quote currency, risk in %."""

    symbol: str
    side: Side = Side.LONG
    capital: Decimal | None = None
    risk_percent: Decimal | None = None
    fast_period: int = 9
    slow_period: int = 21
    interval: str = "15m"
    stop: StopPolicy = field(default_factory=StopPolicy)
    activation_price: Decimal | None = None
    trailing_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What arming would lead to at the present price, in quote and base currency."""

    price: Decimal
    quantity: Decimal
    distance: Decimal
    stop_price: Decimal
    loss_at_stop: Decimal
    base_asset: str
    quote_asset: str

    @property
    def used(self) -> Decimal:
        """What the position would take of the capital, in quote currency."""
        return self.quantity * self.price


def preview(*, account: Account, order: ArmOrder, exchange: Quotes) -> Preview:
    """Check an order against the exchange without writing anything. Raises ArmRefused."""
    symbol = order.symbol.strip().upper()
    _check_terms(order)
    rules = _tradable(symbol, exchange)
    capital, risk = _capital(order, account), _risk_percent(order, account)
    try:
        price = exchange.price(symbol).price
        candles = _candles(order, symbol, exchange)
        distance = stop_distance(order.stop, price, candles)
        quantity = position_size(
            side=order.side, capital=capital, risk=risk / 100, entry=price, distance=distance,
            fee_rate=settings.FEE_RATE, rules=rules,
        )  # fmt: skip
    except ValueError as error:
        raise ArmRefused(str(error)) from error
    except ExchangeError as error:
        raise ArmRefused(f"the exchange did not answer: {error}. Try again.") from error
    stop = price - distance if order.side is Side.LONG else price + distance
    fees = (price + stop) * settings.FEE_RATE
    loss = quantity * (distance + fees)
    return Preview(price, quantity, distance, stop, loss, rules.base_asset, rules.quote_asset)


def arm(
    *, account: Account, order: ArmOrder, exchange: Exchange, at: datetime, by: str = "", reason: str = ""
) -> Position:
    """Arm a slot: from now on a crossover opens a position in it. Raises ArmRefused."""
    _check_account(account)
    symbol = order.symbol.strip().upper()
    preview(account=account, order=order, exchange=exchange)
    _check_streams(symbol, order.interval)
    slot = Slot.of(account, symbol, order.side)
    existing = Position.objects.filter(slot=slot, state__in=MANAGED_STATES).first()
    if existing:
        raise ArmRefused(
            f"{slot} is already {existing.state} (position {existing.pk}); disarm or close it first"
        )
    position = _position(slot, account, order)
    try:
        position.full_clean(validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            # Not switched off meanwhile.
            _check_account(Account.objects.select_for_update(no_key=True).get(pk=account.pk))
            position.save(force_insert=True)
            who = {"by": by or None, "reason": reason or None}
            journal.append(EventKind.POSITION_ARMED, position, at=at, **who, **_terms(position))
    except ValidationError as error:
        raise ArmRefused(
            "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
        ) from error
    except IntegrityError as error:
        raise ArmRefused(
            f"{slot} was armed by somebody else at the same moment, or its terms do not fit: {error}"
        ) from error
    log.info("%s armed: SMA %s over %s on %s", position, order.fast_period, order.slow_period, order.interval)
    return position


def disarm(*, position: Position, reason: str, at: datetime, by: str = "") -> None:
    """Take an armed position back, or put one in Error away.

    Raises DisarmRefused for one that has entered: that must be closed.
    """
    to = AFTER_DISARMING.get(PositionState(position.state))
    disarmed = to is not None and journal.advance(
        position,
        to,
        at=at,
        data={"reason": reason, "by": by or None},
        note=reason[:255],
        closed_at=at,
    )
    if not disarmed:
        position.refresh_from_db()
        raise DisarmRefused(f"position {position.pk} is {position.state}, not armed; nothing was changed")


def _check_account(account: Account) -> None:
    if not account.active:
        raise ArmRefused(f"the account {account} is switched off; switch it on first")
    if account.entries_paused:
        raise ArmRefused(f"entries are paused on the account {account}; resume them first")


def _check_streams(symbol: str, interval: str) -> None:
    """One more stream than a connection carries would cost all the others theirs."""
    managed = Position.objects.filter(state__in=MANAGED_STATES)
    wanted = {(symbol, ""), (symbol, interval)}
    wanted |= {(name, "") for name in managed.values_list("slot__symbol", flat=True)}
    wanted |= set(managed.filter(state=PositionState.ARMED).values_list("slot__symbol", "interval"))
    if len(wanted) > MAX_STREAMS:
        raise ArmRefused(
            f"the consumer would need {len(wanted)} streams, and one connection carries {MAX_STREAMS}; "
            "disarm something first"
        )


def _check_terms(order: ArmOrder) -> None:
    if not 0 < order.fast_period < order.slow_period:
        raise ArmRefused(
            f"the fast average ({order.fast_period}) must be shorter than the slow one ({order.slow_period})"
        )
    low, high = int(MIN_SHARE * BPS), int(MAX_SHARE * BPS)
    if order.trailing_bps is not None and not low <= order.trailing_bps <= high:
        raise ArmRefused(
            f"the trailing offset must lie between {low} and {high} basis points, not {order.trailing_bps}"
        )
    if order.activation_price is not None and order.activation_price <= 0:
        raise ArmRefused(f"the activation price must be above zero, not {order.activation_price}")


def _capital(order: ArmOrder, account: Account) -> Decimal:
    return account.capital if order.capital is None else order.capital


def _risk_percent(order: ArmOrder, account: Account) -> Decimal:
    return account.risk_percent if order.risk_percent is None else order.risk_percent


def _tradable(symbol: str, exchange: Quotes) -> SymbolRules:
    if not symbol.isascii():
        # Over a stream's name that it cannot read the exchange ends the connection, and all stops with it.
        raise ArmRefused(f"{symbol} is not spelled in ASCII: no market stream is known to carry it")
    try:
        rules = exchange.symbol_rules(symbol)
    except Refused as error:
        raise ArmRefused(f"the exchange does not know the symbol {symbol!r}: {error.message}") from error
    except ExchangeError as error:
        raise ArmRefused(f"the exchange did not answer: {error}. Try again.") from error
    if not rules.trading:
        raise ArmRefused(f"{symbol} is not trading at the moment")
    if not rules.margin_allowed:
        raise ArmRefused(f"{symbol} cannot be traded on isolated margin")
    return rules


def _candles(order: ArmOrder, symbol: str, exchange: Quotes) -> list[Candle]:
    needed = order.stop.candles_needed
    return list(exchange.candles(symbol, order.interval, limit=needed * 4)) if needed else []


def _position(slot: Slot, account: Account, order: ArmOrder) -> Position:
    return Position(
        slot=slot,
        capital=_capital(order, account),
        risk_percent=_risk_percent(order, account),
        fast_period=order.fast_period,
        slow_period=order.slow_period,
        interval=order.interval,
        stop_kind=order.stop.kind,
        stop_value=order.stop.value,
        activation_price=order.activation_price,
        trailing_bps=order.trailing_bps,
    )


def _terms(position: Position) -> dict[str, object]:
    return {
        "capital": position.capital,
        "risk_percent": position.risk_percent,
        "averages": f"{position.fast_period}/{position.slow_period}",
        "interval": position.interval,
        "stop": f"{position.stop_kind} {to_wire(position.stop_value)}",
    }
