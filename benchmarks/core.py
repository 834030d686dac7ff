"""Core: from the price that touches a stop to the exit order's arrival, beside a bare path in line."""

import os
import time
from decimal import Decimal
from functools import partial

from benchmarks import bare_line
from benchmarks.figures import Figure, Times
from benchmarks.market import ENTRY, TOUCH, Trader, open_account, publish, symbols
from benchmarks.stage import BenchmarkError, Stage, until
from benchmarks.touching import PAUSES_S, Touches, delays_ns
from robson.local import commands
from robson.local.commands import Service
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side
from trading.models import Position, Slot

BARE_SYMBOL = "SYN49USDT"
BARE_QUANTITY = "1"
DISTANCE = Decimal(2)
QUANTITY = Decimal(10)
TARGET_RATIO = 3.0


def measure(stage: Stage) -> list[Figure]:
    """Exits of Core and of the bare path by turns, so that what disturbs one disturbs the other."""
    trader = open_account(stage.simulator.control, "core")
    bare = Trader(trader.control, trader.account, _bare_account(trader))
    rounds, count = (1, 15) if stage.quick else (3, 40)
    core_times: list[int] = []
    bare_times: list[int] = []
    services = [*commands.workers(), commands.consumer(), _bare_service(bare.api_key)]
    with stage.processes(*services):
        for number in range(rounds):
            stage.tell(f"round {number + 1} of {rounds}: {count} positions")
            open_positions(trader, symbols(0, count))
            core, line = _touch_all(stage, symbols(0, count), (number / rounds, 1 / rounds))
            until(lambda: not any_open(trader), "all positions closed")
            core_times += delays_ns(core, trader)
            bare_times += delays_ns(line, bare)
    if trader.violations():
        raise BenchmarkError(f"the ledger shows violations: {trader.violations()}")
    return _figures(Times.from_ns(core_times), Times.from_ns(bare_times))


def _figures(core: Times, bare: Times) -> list[Figure]:
    return [
        *core.figures("Core, price published to exit order"),
        *bare.figures("Bare path in line, the same"),
        Figure("Core : bare in line, p50", core.p50 / bare.p50, "x", at_most=TARGET_RATIO),
    ]


def _bare_account(trader: Trader) -> str:
    key, secret = "bare-key", "bare-secret"
    os.environ["BENCH_BARE_KEY"], os.environ["BENCH_BARE_SECRET"] = key, secret
    trader.control.call("POST", "account", {"api_key": key, "secret": secret})
    Trader(trader.control, trader.account, key).buy(BARE_SYMBOL, Decimal(400))
    return key


def _bare_service(key: str) -> Service:
    arguments = ("python", "-m", "benchmarks.bare_line", BARE_SYMBOL, key, "bare-secret", BARE_QUANTITY)
    return Service("bare-line", arguments, bare_line.READY)


def open_positions(trader: Trader, names: list[str]) -> None:
    """Active positions that the consumer watches: seen by a raised stop after a price of the stream."""
    for name in names:
        held = trader.buy(name, QUANTITY)
        _position(trader, name, held, trader.control.call("GET", "health")["time_ms"])
    for step in (1, 2):
        price = ENTRY + step * Decimal("0.1")
        for name in names:
            publish(trader.control, name, price)
        until(partial(_trailed_to, trader, price, len(names)), f"stops trailed to {price}")


def _position(trader: Trader, symbol: str, quantity: Decimal, time_ms: int) -> None:
    Position.objects.create(
        slot=Slot.of(trader.account, symbol, Side.LONG),
        state=PositionState.ACTIVE,
        capital=Decimal(1000),
        risk_percent=Decimal(1),
        quantity=quantity,
        entry_price=ENTRY,
        distance=DISTANCE,
        extreme_price=ENTRY,
        extreme_time_ms=time_ms,
        stop_price=ENTRY - DISTANCE,
    )


def any_open(trader: Trader) -> bool:
    return Position.objects.filter(slot__account=trader.account).exclude(state=PositionState.CLOSED).exists()


def _trailed_to(trader: Trader, price: Decimal, count: int) -> bool:
    mine = Position.objects.filter(slot__account=trader.account, state=PositionState.ACTIVE)
    return mine.filter(extreme_price=price).count() == count


def _touch_all(stage: Stage, names: list[str], part: tuple[float, float]) -> tuple[Touches, Touches]:
    """Touch one stop after the other. When each price was published, for Core and for the bare path."""
    control = stage.simulator.control
    core: Touches = []
    line: Touches = []
    time.sleep(1.0)
    for done, name in enumerate(names, start=1):
        core.append((name, publish(control, name, TOUCH)))
        time.sleep(next(PAUSES_S))
        line.append((BARE_SYMBOL, publish(control, BARE_SYMBOL, TOUCH)))
        time.sleep(next(PAUSES_S))
        stage.advance(part[0] + part[1] * done / len(names))
    return core, line
