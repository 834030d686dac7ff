"""One example's world: a fresh account of Robson's on a fresh exchange, and what can happen in it."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import Error as DatabaseError
from kombu.exceptions import OperationalError as BrokerError
from django.db.backends.base.base import BaseDatabaseWrapper

from robson.celery import app
from simulator import byhand
from simulator.clock import Clock
from simulator.errors import BinanceError
from simulator.exchange import Exchange as Simulator
from simulator.settings import Settings
from simulator.symbols import CATALOG
from tests.model.bridge import KEY, Bridge
from tests.model.broker import Broker, Message
from tests.model.clock import LogicalClock
from tests.model.consumer import Consumer
from tests.model.executors import Cut, Executor, Killed, Work, committing, committing_alone
from trading import gateway, readahead, single_statement
from trading.domain.types import MarginPair
from trading.exchange.errors import ExchangeError
from trading.models import Account, Heartbeat
from trading.planning import pair_of

SYMBOL = "BTCUSDT"
PRICE = Decimal(60_000)
EXECUTORS = 3
# Port 1 of the loopback interface: refused at once.
NOBODY_LISTENS = "redis://127.0.0.1:1/0"
# What the callers of Robson's verbs expect, log and try again.
EXPECTED = (ExchangeError, DatabaseError, BrokerError)

_numbers = itertools.count(1)


class World:
    """Everything that one example may touch."""

    def __init__(self, executors: list[Executor]) -> None:
        self.clock = LogicalClock()
        self.simulator = Simulator(
            clock=Clock(self.clock.ns), catalog={SYMBOL: CATALOG[SYMBOL]}, settings=Settings(initial_pairs=())
        )
        self.simulator.add_account(KEY, "secret")
        self.simulator.pair(KEY, SYMBOL)
        self.bridge = Bridge(self.simulator, self.clock)
        self.broker = Broker(self.clock)
        self.executors = executors
        self.account = Account.objects.create(name=f"model{next(_numbers)}")
        Heartbeat.objects.all().delete()
        self.consumer: Consumer | None = Consumer(self.account)
        self.reads_late = False
        self._dead: dict[Executor, Callable[[], None]] = {}

    def begin_read(self, symbol: str) -> Callable[[], MarginPair]:
        """The read beside a claim: as early as it can be, or as late."""
        if self.reads_late:
            return lambda: pair_of(self.bridge, symbol)
        try:
            pair = pair_of(self.bridge, symbol)
        except ExchangeError as error:
            return _raiser(error)
        return lambda: pair

    @property
    def position(self) -> Decimal:
        """What the exchange holds beside collateral, in base currency, signed."""
        return self.simulator.pair(KEY, SYMBOL).position

    @property
    def price(self) -> Decimal:
        return self.simulator.board.last_price(SYMBOL) or PRICE

    def wait(self, seconds: float) -> None:
        """Time passes, and what was on its way arrives."""
        self.clock.ms += int(seconds * 1000)
        self.bridge.land()

    def may_trade_by_hand(self) -> bool:
        """Whether the owner's order cannot fall between what an executor has read and what it sends.

        The document says so: both orders count then, whatever Robson does.
        """
        return not self.bridge.flights and not any(executor.has_read for executor in self.executors)

    def by_hand(self, side: str, quantity: str, **more: str) -> None:
        """The owner trades in the app. What the exchange refuses is none of Robson's business."""
        with suppress(BinanceError, ValueError):
            byhand.trade(self.simulator, {"symbol": SYMBOL, "side": side, "quantity": quantity, **more}, KEY)

    def print_price(self, price: Decimal) -> None:
        """The market trades at a price, and a consumer that runs hears of it."""
        self.clock.ms += 1
        printed = self.simulator.board.print_trade(SYMBOL, price)
        if self.consumer is not None:
            self.consumer.on_price(SYMBOL, printed.price, printed.time_ms)

    def idle(self) -> Executor | None:
        return next((executor for executor in self.executors if not executor.asleep), None)

    def run(self, work: Work, cut: Cut | None = None, *, dead: Callable[[], None] = lambda: None) -> None:
        """Have an executor that has nothing to do work. `dead` says what else dies with it."""
        executor = self.idle()
        if executor is None:
            return
        self._dead[executor] = dead
        self._judge(executor, executor.begin(work, cut))

    def wake(self, executor: Executor, cut: Cut | None = None) -> None:
        self._judge(executor, executor.wake(cut))

    def _judge(self, executor: Executor, ended: BaseException | None) -> None:
        if isinstance(ended, Killed):
            self._dead[executor]()
        elif ended is not None and not isinstance(ended, EXPECTED):
            raise ended

    def deliver(self, message: Message, cut: Cut | None = None, *, again: bool = False) -> None:
        """A worker gets a task; `again`: the broker does not hear that it was done, and keeps it."""
        task = app.tasks[message.task]

        def work() -> None:
            task(message.row_id)
            if not again:
                self.broker.acknowledge(message)

        self.run(work, cut)

    def end(self) -> None:
        for executor in self.executors:
            executor.kill()


def _raiser(error: ExchangeError) -> Callable[[], MarginPair]:
    def read() -> MarginPair:
        raise error

    return read


class Stage:
    """What all worlds of a test share: the executors, and Robson's doors to the outside led to the world."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.executors = [Executor() for _ in range(EXECUTORS)]
        self.examples = self.steps = 0
        self.world: World | None = None
        self._patch = patch
        self._redis_url = settings.REDIS_URL
        patch.setattr(gateway, "exchange_for", lambda account: self._here.bridge)
        patch.setattr(gateway, "utc_now", lambda: self._here.clock.now())
        patch.setattr(readahead, "begin", lambda account, symbol: self._here.begin_read(symbol))
        patch.setattr(app, "send_task", lambda *args, **options: self._here.broker.send_task(*args, **options))
        patch.setattr(BaseDatabaseWrapper, "_commit", committing(BaseDatabaseWrapper._commit))
        alone = committing_alone(single_statement.move_and_insert)
        patch.setattr(single_statement, "move_and_insert", alone)

    @property
    def _here(self) -> World:
        assert self.world is not None
        return self.world

    def new_world(self) -> World:
        self.redis_is_away(False)
        self.world = World(self.executors)
        self.examples += 1
        return self.world

    def redis_is_away(self, away: bool) -> None:
        """The exclusion set cannot be reached, and nothing can be queued."""
        settings.REDIS_URL = NOBODY_LISTENS if away else self._redis_url
        if self.world is not None:
            self.world.broker.away = away

    def close(self) -> None:
        self.redis_is_away(False)
        for executor in self.executors:
            executor.stop()
