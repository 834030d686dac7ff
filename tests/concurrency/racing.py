"""Many processes that do the same thing at the same moment: `python -m tests.concurrency.racing`.

Prints what each of them came to, as JSON. The processes are forked, so that Django is loaded once; each of
them has connections of its own.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from multiprocessing.synchronize import Barrier
from typing import Any, NoReturn

import django

START_TIMEOUT_S = 30


def _exit_now(position_id: int, barrier: Barrier) -> str:
    """What the consumer does when a stop is touched."""
    from trading import gateway, services
    from trading.models import Position

    position = Position.objects.select_related("slot__account").get(pk=position_id)
    desk = gateway.desk_for(position.slot.account)
    desk.exchange.symbol_rules(position.slot.symbol)
    barrier.wait(START_TIMEOUT_S)
    intent = services.exit_now(position=position, reason="race", desk=desk)
    return "refused" if intent is None else f"claimed {intent.state}"


def _execute(intent_id: int, barrier: Barrier) -> str:
    """One delivery of the exit task."""
    from trading.models import Account
    from trading.tasks import execute_intent

    assert Account.objects.exists()
    barrier.wait(START_TIMEOUT_S)
    execute_intent(intent_id)
    return "done"


def _unclaimed(position_id: int, barrier: Barrier) -> str:
    """What programs without the protocol do: look whether the position is open, then close it."""
    from trading import gateway
    from trading.domain.types import MarketOrder, OrderSide
    from trading.exchange.errors import ExchangeError
    from trading.models import Position

    position = Position.objects.select_related("slot__account").get(pk=position_id)
    exchange = gateway.exchange_for(position.slot.account)
    is_open = position.state == "active"
    barrier.wait(START_TIMEOUT_S)
    if not is_open:
        return "not open"
    order = MarketOrder(
        symbol=position.slot.symbol,
        side=OrderSide.SELL,
        quantity=position.quantity.quantize(Decimal("0.00001"), rounding="ROUND_DOWN"),
        client_order_id=f"racer-{os.getpid()}",
        side_effect="AUTO_REPAY",
        timestamp_ms=exchange.now_ms(),
        recv_window_ms=5_000,
    )
    try:
        exchange.send_market_order(order)
    except ExchangeError as error:
        return f"refused {error.code}"
    return "sent"


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class _Deadly:
    """The real exchange, and the end of the process before or after its order."""

    def __init__(self, exchange: Any, *, before: bool) -> None:
        self._exchange, self._before = exchange, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def send_market_order(self, order: Any) -> NoReturn:
        if not self._before:
            self._exchange.send_market_order(order)
        _die()


def _killed(where: str) -> Callable[[int, Barrier], str]:
    def run(intent_id: int, barrier: Barrier) -> str:
        from trading import execution, gateway, recording
        from trading.models import OrderIntent
        from trading.models.intent import Owner

        intent = OrderIntent.objects.select_related("slot__account").get(pk=intent_id)
        desk = gateway.desk_for(intent.slot.account)
        barrier.wait(START_TIMEOUT_S)
        if where == "before_taking":
            _die()
        if where == "while_recording":
            recording.register_settlement(Owner.CORE, lambda *_: _die())
            execution.execute(intent_id, desk)
        deadly: Any = _Deadly(desk.exchange, before=where == "before_sending")
        execution.execute(intent_id, replace(desk, exchange=deadly))
        return "survived"

    return run


RACES: dict[str, Callable[[int, Barrier], str]] = {
    "exit_now": _exit_now,
    "execute": _execute,
    "unclaimed": _unclaimed,
    "killed_before_taking": _killed("before_taking"),
    "killed_before_sending": _killed("before_sending"),
    "killed_before_recording": _killed("before_recording"),
    "killed_while_recording": _killed("while_recording"),
}


def _racer(race: str, row: int, barrier: Barrier, results: Any) -> None:
    try:
        results.put(RACES[race](row, barrier))
    except Exception as error:  # noqa: BLE001  # whatever happened is this racer's result
        results.put(f"{type(error).__name__}: {error}")


def main(race: str, row: int, count: int) -> None:
    django.setup()
    fork = multiprocessing.get_context("fork")
    barrier, results = fork.Barrier(count), fork.SimpleQueue()
    racers = [fork.Process(target=_racer, args=(race, row, barrier, results)) for _ in range(count)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(START_TIMEOUT_S)
    told: list[str] = []
    while not results.empty():
        told.append(results.get())
    print(json.dumps({"results": sorted(told), "codes": [racer.exitcode for racer in racers]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
