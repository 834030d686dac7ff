"""A rehearsed world: one account of Robson's on a real simulator, and short words for what happens in it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

import pytest
import requests
from django.db import connection
from pytest_django.fixtures import Settings

from robson.local.simulator import Control, SimulatorProcess
from tests import factories
from tests.trading.support import trade_on
from trading import entry, execution, gateway, services
from trading.domain.crossover import Signal
from trading.domain.lifecycle import PositionState
from trading.domain.types import MarginPair, MarketOrder, OrderReport, Side
from trading.exchange.port import Exchange
from trading.exchange.rest import BinanceMargin
from trading.execution import Desk
from trading.models import Account, OrderIntent, Position
from trading.planning import EarlyRead

SYMBOL = "BTCUSDT"
PRICE = Decimal(60_000)
RECV_WINDOW_MS = 700
BACKEND_TIMEOUT_MS = 300
READ_TIMEOUT_S = 0.4

Found = TypeVar("Found")


@dataclass(frozen=True)
class World:
    """The simulator, Robson's account on it, and a desk for this thread."""

    simulator: SimulatorProcess
    account: Account
    desk: Desk

    @property
    def control(self) -> Control:
        return self.simulator.control

    @property
    def exchange(self) -> BinanceMargin:
        return gateway.exchange_for(self.account)

    def pair(self, symbol: str = SYMBOL) -> MarginPair:
        return self.exchange.margin_pairs([symbol])[symbol]

    def early(self, pair: MarginPair) -> EarlyRead:
        """What the exchange held, as if it had been read just now."""
        return EarlyRead(lambda: pair, self.desk.clock())

    def orders(self, side: str | None = None) -> list[dict[str, Any]]:
        """Robson's accepted orders, oldest first."""
        mine = [order for order in self.control.orders() if not order["by_hand"]]
        return [order for order in mine if side in {None, order["side"]}]

    def violations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.ledger()["violations"]
        return found

    def refusals(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.ledger()["refusals"]
        return found

    def sim(self, name: str, **body: Any) -> Any:
        """A control call that `Control` has no word for."""
        answer = requests.post(f"{self.simulator.url}/sim/{name}", json=body, timeout=5)
        assert answer.ok, answer.text
        return answer.json()

    def give_base(self, amount: str, symbol: str = SYMBOL) -> None:
        """The owner transfers base currency into the pair until this much is free: collateral."""
        self.sim("account", api_key="demo-key", secret="demo-secret", balances={symbol: {"BTC": amount}})

    def later(self, seconds: float) -> Desk:
        """A desk of another executor, some time ahead of ours."""
        ahead = timedelta(seconds=seconds)
        return replace(self.desk, holder="another", clock=lambda: self.desk.clock() + ahead)

    def armed(self, side: Side = Side.LONG, **fields: Any) -> Position:
        return factories.core_position(side=side, state=PositionState.ARMED, of=self.account, **fields)

    def enter(self, side: Side = Side.LONG, **fields: Any) -> Position:
        """An Active position, opened through the protocol itself."""
        position = self.armed(side, **fields)
        assert entry.enter(position=position, signal=signal_for(position), desk=self.desk)
        position.refresh_from_db()
        assert position.state == PositionState.ACTIVE, position.note
        return position

    def request_exit(self, position: Position, **details: Any) -> OrderIntent:
        asked = {"reason": "test", "at": self.desk.clock(), **details}
        intent = services.request_exit(position=position, **asked)
        assert intent is not None
        return intent

    def settle(self, intent: OrderIntent, desk: Desk | None = None) -> OrderIntent:
        """Execute until there is nothing left to do, waiting for whatever is postponed."""
        used, deadline = desk or self.desk, time.monotonic() + 20
        while (due := execution.execute(intent.pk, used)) is not None:
            assert time.monotonic() < deadline, f"{intent} is still {fresh(intent).state}"
            time.sleep(max((due - used.clock()).total_seconds(), 0.01))
        return fresh(intent)


def until(condition: Callable[[], Found], *, within_s: float = 20.0) -> Found:
    """The first true answer of `condition`. Raises AssertionError after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
    return found


def waiting_for_a_lock() -> bool:
    """Whether some session with this database waits for another. Other databases' sessions do not count."""
    with connection.cursor() as cursor:
        # Who waits for a row waits for a transaction, which has no database: its lock of the table has.
        cursor.execute(
            "SELECT count(*) FROM pg_locks AS wanted JOIN pg_locks AS held USING (pid)"
            " WHERE NOT wanted.granted AND held.database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return bool(cursor.fetchone()[0])


def fresh(intent: OrderIntent) -> OrderIntent:
    return OrderIntent.objects.select_related("slot__account").get(pk=intent.pk)


def fresh_state(position: Position) -> str:
    position.refresh_from_db()
    return position.state


def signal_for(position: Position, price: Decimal = PRICE) -> Signal:
    return Signal(
        id=f"{position.pk}:1",
        symbol=position.slot.symbol,
        side=position.slot.position_side,
        candle_close_time_ms=1,
        price=price,
        fast=price + 1,
        slow=price,
    )


@pytest.fixture
def world(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch, db: None
) -> Iterator[World]:
    """A fresh exchange at 60,000 with short time-outs, so that unclear outcomes clear up within a second."""
    trade_on(simulator, settings, monkeypatch)
    settings.ORDER_RECV_WINDOW_MS = RECV_WINDOW_MS
    settings.BACKEND_TIMEOUT_MS = BACKEND_TIMEOUT_MS
    settings.HTTP_TIMEOUT_S = (2.0, READ_TIMEOUT_S)
    simulator.control.price(SYMBOL, PRICE)
    account = factories.account()
    yield World(simulator, account, gateway.desk_for(account))
    gateway.exchange_for(account).close()


class _Interposed:
    """A real connection with some of its calls replaced."""

    def __init__(self, exchange: BinanceMargin, calls: dict[str, Callable[..., Any]]) -> None:
        self._exchange, self._calls = exchange, calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._exchange, name)


def interpose(world: World, **calls: Callable[..., Any]) -> Desk:
    """A desk whose exchange is the real one but for these calls: to put two events into a certain order."""
    return replace(world.desk, exchange=cast(Exchange, _Interposed(world.exchange, calls)))


def filled_without_a_stop(world: World, **terms: Any) -> Position:
    """An entry whose terms stop making sense while the order is on its way: Core lets go of it."""

    def send(order: MarketOrder) -> OrderReport:
        Position.objects.filter(pk=position.pk).update(**terms)
        return world.exchange.send_market_order(order)

    position = world.armed()
    desk = interpose(world, send_market_order=send)
    assert entry.enter(position=position, signal=signal_for(position), desk=desk)
    position.refresh_from_db()
    return position


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the world commits for real. Only the tables of these apps are emptied: that is quicker."""
    mark = pytest.mark.django_db(transaction=True, available_apps=["trading", "safetynet", "robson"])
    for item in items:
        if "world" in getattr(item, "fixturenames", ()):
            item.add_marker(mark)
