"""Core's stops while the consumer is silent: the same evaluation, on REST prices, by whoever polls."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError

from trading import queries, services
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import on_price
from trading.domain.types import Tick
from trading.execution import Desk
from trading.logcontext import about
from trading.models import Account, Heartbeat, OrderIntent, Position
from trading.services import Progress

log = logging.getLogger(__name__)

CONSUMER = "consumer"


def consumer_is_silent(now: datetime) -> bool:
    """Whether the consumer has not done its whole job lately, or never has."""
    freshest = now - timedelta(seconds=settings.CONSUMER_SILENT_S)
    return not Heartbeat.objects.filter(name=CONSUMER, at__gte=freshest).exists()


def stand_in(account: Account, desk: Desk) -> list[OrderIntent]:
    """Drive the trailing stops of one account once, if the consumer is silent.

    Returns the exits that were claimed, for the caller to hand over. Costs no exchange call while the
    consumer is well or nothing is Active. Raises ExchangeError.
    """
    active = [p for p in queries.managed_positions(account) if p.state == PositionState.ACTIVE]
    if not active or not consumer_is_silent(desk.clock()):
        return []
    log.critical("the consumer is silent: %s stops of %s are driven by REST prices", len(active), account)
    time_ms, prices = desk.exchange.now_ms(), desk.exchange.prices()
    ticks = {symbol: Tick(symbol, price, time_ms) for symbol, price in prices.items()}
    claimed = []
    for position in active:
        with about(position):
            claimed.append(_drive_alone(position, ticks.get(position.slot.symbol), desk))
    return [intent for intent in claimed if intent is not None]


def _drive_alone(position: Position, tick: Tick | None, desk: Desk) -> OrderIntent | None:
    """What goes wrong with one stop must not leave the others alone: nobody else drives them now."""
    try:
        return _drive(position, tick, desk)
    except (DatabaseError, ValueError):
        log.critical("%s: its stop could not be driven, the others are", position, exc_info=True)
        return None


def _drive(position: Position, tick: Tick | None, desk: Desk) -> OrderIntent | None:
    if tick is None:
        log.critical("%s: the exchange gives no price, its stop cannot be checked", position)
        return None
    step = on_price(position.trailing, tick.price, tick.time_ms)
    if step.fired:
        return services.request_exit(
            position=position,
            reason="trailing stop (watchdog)",
            at=desk.clock(),
            trigger_price=tick.price,
            stop=step.next,
        )
    stop = step.next
    if step.moved and stop.extreme is not None and stop.stop is not None:
        progress = Progress(position.pk, stop.extreme, stop.stop, stop.last_time_ms, position.stop_price)
        services.save_progress(batch=[progress], at=desk.clock())
    return None
