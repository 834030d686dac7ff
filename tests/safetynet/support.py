"""What the Safety Net's tests share: the exchange's own record, other processes' hands, broken parts."""

import hmac
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import requests
from django.db import connection, connections

from robson.local.simulator import DEMO_KEY, DEMO_SECRET, SimulatorProcess
from safetynet.models import GuardedPosition
from safetynet.services import PollReport
from tests.live import another_connection
from trading.domain.lifecycle import LIVE_GUARD_STATES
from trading.models import Event

Poll = Callable[[], PollReport]


def our_orders(market: SimulatorProcess) -> list[dict[str, Any]]:
    """Every order that Robson sent."""
    return [order for order in market.control.orders() if not order["by_hand"]]


def violations(market: SimulatorProcess) -> list[Any]:
    violations: list[Any] = market.control.ledger()["violations"]
    return violations


def deposit(market: SimulatorProcess, symbol: str, asset: str, amount: str) -> None:
    """The owner transfers coins in, as collateral: no trade shows them."""
    balances = {symbol: {asset: amount}}
    body = {"api_key": DEMO_KEY, "secret": DEMO_SECRET, "balances": balances}
    market.control.call("POST", "account", body)


def owe_without_a_trade(market: SimulatorProcess, symbol: str, asset: str, amount: str) -> None:
    """The owner borrows coins and transfers them out: a short that no trade of the account opened."""
    wish = {"asset": asset, "isIsolated": "TRUE", "symbol": symbol, "amount": amount, "type": "BORROW"}
    query = urlencode({**wish, "timestamp": time.time_ns() // 1_000_000})
    signature = hmac.new(DEMO_SECRET.encode(), query.encode(), "sha256").hexdigest()
    answer = requests.post(
        f"{market.url}/sapi/v1/margin/borrow-repay?{query}&signature={signature}",
        headers={"X-MBX-APIKEY": DEMO_KEY},
        timeout=10,
    )
    answer.raise_for_status()
    deposit(market, symbol, asset, "0")


def live_guard() -> GuardedPosition:
    return GuardedPosition.objects.select_related("slot__account").get(state__in=LIVE_GUARD_STATES)


def kinds() -> list[str]:
    """The event log, oldest first."""
    return list(Event.objects.values_list("kind", flat=True))


def eventually(done: Callable[[], bool]) -> None:
    """Ask until it is so. For what waits for the clock of somebody else."""
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline, "it did not happen within twenty seconds"
        time.sleep(0.05)


def at_once(count: int, action: Callable[[], object]) -> list[BaseException | None]:
    """Run `action` in that many threads at the same moment; returns what each raised."""
    gate = threading.Barrier(count)

    def run() -> None:
        try:
            gate.wait(10)
            action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        return [future.exception(60) for future in [threads.submit(run) for _ in range(count)]]


def core_unreadable() -> AbstractContextManager[None]:
    """Questions about Core's positions fail, as another session holds the table; everything else works."""
    return held_elsewhere("LOCK TABLE trading_position IN ACCESS EXCLUSIVE MODE")


@contextmanager
def held_elsewhere(lock: str, *values: int) -> Iterator[None]:
    """Another session holds this lock, and ours waits for none for long."""
    with another_connection() as other:
        other.execute(lock.encode(), values)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        try:
            yield
        finally:
            other.rollback()
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = 0")


def approximately(value: Decimal, expected: str, tolerance: str = "0.001") -> bool:
    """Within a share of the expected value: fees and the book's spread move fills a little."""
    wanted = Decimal(expected)
    return abs(value - wanted) <= wanted * Decimal(tolerance)
