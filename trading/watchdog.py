"""Core's stops while the consumer is silent: the same evaluation, on REST prices, by whoever polls.

Peak and stop are to be what they would have been, so the present price alone will not do: what was traded
since the saved progress goes first, and progress that leaves prices out is never saved.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError

from trading import queries, services
from trading.domain.clocks import latest
from trading.domain.lifecycle import PositionState
from trading.domain.trailing import Step, TrailingStop, on_price
from trading.domain.types import Tick
from trading.exchange.errors import ExchangeError
from trading.execution import Desk
from trading.gaps import gap
from trading.logcontext import about
from trading.models import Account, Heartbeat, OrderIntent, Position
from trading.services import Progress

log = logging.getLogger(__name__)

CONSUMER = "consumer"
# A poll has more to do, and a task must end in time: whose turn has not come by then is first next time.
CATCHING_UP_S = 8.0

# A position with the present price of its symbol.
Priced = tuple[Position, Tick]


def consumer_is_silent(now: datetime) -> bool:
    """Whether the consumer has not done its whole job lately, or never has."""
    freshest = now - timedelta(seconds=settings.CONSUMER_SILENT_S)
    return not Heartbeat.objects.filter(name=CONSUMER, at__range=(freshest, latest(now))).exists()


def stand_in(account: Account, desk: Desk) -> Iterator[list[OrderIntent]]:
    """Drive the trailing stops of one account once, if the consumer is silent.

    Gives the exits that were claimed, for the caller to hand over before it goes on: first those that the
    present prices touch, then, one question each, those that were touched since their saved progress. Costs
    no exchange call while the consumer is well or nothing is Active. Raises ExchangeError when there are no
    present prices.
    """
    active = [p for p in queries.managed_positions(account) if p.state == PositionState.ACTIVE]
    if not active or not consumer_is_silent(desk.clock()):
        return
    log.critical("the consumer is silent: %s stops of %s are driven by REST prices", len(active), account)
    claimed, untouched = _exit_touched(_priced(active, desk), desk)
    yield claimed
    yield from _catch_up(untouched, desk)


def _priced(positions: Iterable[Position], desk: Desk) -> list[Priced]:
    desk.exchange.ensure_clock()
    # The time from before the question: of what was traded after it nothing is known yet.
    time_ms, prices = desk.exchange.now_ms(), desk.exchange.prices()
    found = []
    for position in positions:
        symbol = position.slot.symbol
        if symbol in prices:
            found.append((position, Tick(symbol, prices[symbol], time_ms)))
        else:
            log.critical("%s: the exchange gives no price, its stop cannot be checked", position)
    return found


def _exit_touched(priced: Iterable[Priced], desk: Desk) -> tuple[list[OrderIntent], list[Priced]]:
    """Claim what the present prices touch, and give the rest.

    Whatever was missed can only have tightened a stop: one that is touched as saved waits for no question.
    """
    claimed: list[OrderIntent] = []
    untouched: list[Priced] = []
    for position, present in priced:
        with _alone(position):
            step = on_price(position.trailing, present.price, present.time_ms)
            if step.fired:
                claimed += _exit(position, present, step.next, desk)
            else:
                untouched.append((position, present))
    return claimed, untouched


def _catch_up(priced: Iterable[Priced], desk: Desk) -> Iterator[list[OrderIntent]]:
    """Those furthest behind first. Stops asking after CATCHING_UP_S, and the next poll goes on."""
    ends = time.monotonic() + CATCHING_UP_S
    waiting = sorted(priced, key=lambda pair: pair[0].extreme_time_ms)
    for number, (position, present) in enumerate(waiting):
        if time.monotonic() > ends:
            log.error("%s stops have to wait for the next poll to be trailed", len(waiting) - number)
            return
        claimed: list[OrderIntent] = []
        with _alone(position):
            claimed = _drive(position, present, desk)
        if claimed:
            yield claimed


@contextmanager
def _alone(position: Position) -> Iterator[None]:
    """What goes wrong with one stop must not leave the others alone: nobody else drives them now."""
    try:
        with about(position):
            yield
    except (DatabaseError, ValueError):
        log.critical("%s: its stop could not be driven, the others are", position, exc_info=True)


def _drive(position: Position, present: Tick, desk: Desk) -> list[OrderIntent]:
    """Take one stop through what it missed, then through the present price."""
    slot = position.slot
    try:
        missed = gap(desk.exchange, slot.symbol, slot.position_side, after_ms=position.extreme_time_ms)
    except ExchangeError as error:
        # Who saved the present price's peak would hide from the consumer what came before it.
        log.error("%s: what it missed cannot be read, it stays as it is saved: %s", position, error)
        return []
    tick, step = _through(position.trailing, missed, present)
    if step.fired:
        return _exit(position, tick, step.next, desk)
    _save(position, step.next, desk)
    return []


def _through(stop: TrailingStop, missed: Iterable[Tick], present: Tick) -> tuple[Tick, Step]:
    """What was missed, oldest first, then the present price: the first to touch the stop, or else the last.

    With what it did to the stop. A present price from before the last one that was missed is dropped.
    """
    for tick in missed:
        step = on_price(stop, tick.price, tick.time_ms)
        if step.fired:
            return tick, step
        stop = step.next
    return present, on_price(stop, present.price, present.time_ms)


def _save(position: Position, stop: TrailingStop, desk: Desk) -> None:
    """Also where nothing moved: what has been read once is not asked for again at the next poll."""
    # A stop that waits for its activation price trails nothing, and keeps the peak that it was saved with.
    extreme = position.extreme_price if stop.extreme is None else stop.extreme
    if extreme is None or stop.stop is None:
        return
    announced = None if stop.stop == position.stop_price else position.stop_price
    progress = Progress(position.pk, extreme, stop.stop, stop.last_time_ms, announced)
    services.save_progress(batch=[progress], at=desk.clock())


def _exit(position: Position, tick: Tick, stop: TrailingStop, desk: Desk) -> list[OrderIntent]:
    intent = services.request_exit(
        position=position,
        reason="trailing stop (watchdog)",
        at=desk.clock(),
        trigger_price=tick.price,
        stop=stop,
    )
    return [] if intent is None else [intent]
