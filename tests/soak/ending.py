"""The end of a soak: nothing breaks any more, what is under way comes to an end, what is open is closed."""

import time
from collections.abc import Callable
from typing import Protocol

from django.db import connection

from robson.local.simulator import Control, SimulatorError
from simulator.ledger import floor_to
from simulator.symbols import CATALOG
from tests.soak.breaking import Breaking
from tests.soak.diary import Diary
from tests.soak.monitor import Lack, Monitor
from tests.soak.owner import Owner
from tests.soak.sight import Held
from tests.soak.stage import Stage
from tests.soak.stalls import Stalls
from trading import operations
from trading.domain.lifecycle import LIVE_INTENT_STATES
from trading.domain.types import OrderSide, Side
from trading.models import Account, OrderIntent

# Each step has this long. What is not done by then is found by the audit.
PATIENCE_S = 120.0
AGAIN_S = 5.0


class Ended(Protocol):
    """What of a soak is needed to end it."""

    stage: Stage
    account: Account
    owner: Owner
    breaking: Breaking
    monitor: Monitor
    stalls: Stalls
    diary: Diary

    def tend(self) -> None: ...


def come_to_rest(soak: Ended) -> None:
    """Let everything work again, let what is due be done, then close what is left by hand."""
    soak.owner.finish()
    _wait(soak, lambda: not soak.breaking.lasting, "the last fault is over")
    soak.breaking.close()
    # This thread's connection may be from before a restart of the database.
    connection.close()
    soak.stage.simulator.control.clear_faults()
    _wait(soak, lambda: not _under_way(soak), "what was under way is done")
    _panic(soak)
    _wait(soak, lambda: _nothing_left(soak), "nothing is open", every=lambda: _close_by_hand(soak))


def _wait(
    soak: Ended, done: Callable[[], bool], what: str, *, every: Callable[[], None] | None = None
) -> None:
    begun, stalled, again = time.time(), soak.stalls.seconds, 0.0
    while not done():
        if time.time() - begun - (soak.stalls.seconds - stalled) > PATIENCE_S:
            soak.diary.note("soak", f"not within {PATIENCE_S:.0f} s: {what}")
            return
        if every is not None and time.time() > again:
            every()
            again = time.time() + AGAIN_S
        soak.tend()
    soak.diary.note("soak", f"{what}, after {time.time() - begun:.1f} s")


def _under_way(soak: Ended) -> bool:
    due = any(exposure.lack is Lack.DUE for exposure in list(soak.monitor.open.values()))
    return due or OrderIntent.objects.filter(state__in=LIVE_INTENT_STATES).exists()


def _panic(soak: Ended) -> None:
    intents = operations.panic(account=soak.account, reason="the end", by="soak")
    operations.hand_over(intents)
    soak.diary.note("owner", f"panic: {len(intents)} exits")


def _nothing_left(soak: Ended) -> bool:
    sight = soak.monitor.last
    return sight is not None and not (sight.held or sight.robson.cores or sight.robson.guards)


def _close_by_hand(soak: Ended) -> None:
    """What no exit of Robson's is closing."""
    sight = soak.monitor.last
    if sight is None:
        return
    for held in sight.held:
        if any(core.symbol == held.symbol for core in sight.robson.cores):
            continue
        try:
            _sell_or_buy(soak.stage.simulator.control, held)
            soak.diary.note("owner", f"closes by hand: {held.quantity}", held.symbol)
        except SimulatorError as error:
            soak.diary.note("owner", f"cannot close by hand: {error}", held.symbol)


def _sell_or_buy(app: Control, held: Held) -> None:
    if held.side is Side.LONG:
        app.trade(OrderSide.SELL, "all", symbol=held.symbol)
        return
    try:
        app.trade(OrderSide.BUY, "all", symbol=held.symbol)
    except SimulatorError:
        # Nothing is owed: coins of his own were sold, and are bought again.
        quantity = floor_to(held.quantity, CATALOG[held.symbol].step)
        app.trade(OrderSide.BUY, f"{quantity:f}", symbol=held.symbol)
