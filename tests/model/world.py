"""One example's world: a fresh account of Robson's on a fresh exchange, and what can happen in it."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from django.db import Error as DatabaseError
from kombu.exceptions import OperationalError as BrokerError

from safetynet import tasks as safetynet_tasks
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
from tests.model.executors import Cut, Executor, Fate, Killed, Work
from trading import tasks
from trading.domain.types import MarginPair, Tick
from trading.exchange.errors import ExchangeError
from trading.models import Account, Heartbeat
from trading.planning import pair_of
from trading.watchdog import CONSUMER

SYMBOL = "BTCUSDT"
PRICE = Decimal(60_000)
# What the callers of Robson's verbs expect, log and try again.
EXPECTED = (ExchangeError, DatabaseError, BrokerError)

TASKS: dict[str, Callable[[int], None]] = {
    "trading.execute_intent": tasks.execute_intent,
    "safetynet.exit_guard": safetynet_tasks.exit_guard,
}

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
        Heartbeat.objects.filter(name=CONSUMER).update(at=self.clock.now())
        self.consumer: Consumer | None = Consumer(self.account)
        self.reads_late = False
        self.somebody_worked = False
        self._dead: dict[Executor, Callable[[], None]] = {}

    def begin_read(self, symbol: str) -> Callable[[], MarginPair]:
        """The read beside a claim: as early as it can be, or as late."""
        if self.reads_late:
            return lambda: pair_of(self.bridge, symbol)
        try:
            pair = self.bridge.read_beside(symbol)
        except ExchangeError as error:
            return _raiser(error)
        return lambda: pair

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
        about_to_send = any(executor.reading_lasts_until_ms >= self.clock.ms for executor in self.executors)
        return not self.bridge.flights and not about_to_send

    def by_hand(self, side: str, quantity: str, **more: str) -> None:
        """The owner trades in the app. What the exchange refuses is none of Robson's business."""
        with suppress(BinanceError, ValueError):
            byhand.trade(self.simulator, {"symbol": SYMBOL, "side": side, "quantity": quantity, **more}, KEY)

    def deposit_base(self, amount: str) -> None:
        """The owner transfers base currency into the pair: collateral."""
        pair = self.simulator.pair(KEY, SYMBOL)
        self.simulator.set_free(KEY, SYMBOL, pair.base.asset, pair.base.free + Decimal(amount))

    def rest(self, side: str, quantity: str, price: Decimal) -> None:
        """The owner leaves a limit order in the book, which locks what it would trade."""
        self.by_hand(side, quantity, type="LIMIT", price=f"{price:.2f}", time_in_force="GTC")

    def print_price(self, price: Decimal) -> None:
        """The market trades at a price, and a consumer that runs hears of it."""
        self.clock.ms += 1
        printed = self.simulator.board.print_trade(SYMBOL, price)
        if self.consumer is not None:
            self.consumer.on_price(Tick(SYMBOL, printed.price, printed.time_ms, printed.trade_id))

    def run(self, work: Work, cut: Cut | None = None, *, dead: Callable[[], None] = lambda: None) -> None:
        """Have an executor that has nothing to do work. `dead` says what else dies with it.

        One of them never falls asleep, so that there is always somebody to go on.
        """
        executor, *others = [executor for executor in self.executors if not executor.asleep]
        if cut is not None and cut.fate is Fate.SLEEPS and not others:
            cut = None
        self._dead[executor] = dead
        self._judge(executor, executor.begin(work, cut))

    def wake(self, executor: Executor, cut: Cut | None = None) -> None:
        self._judge(executor, executor.wake(cut))

    def _judge(self, executor: Executor, ended: BaseException | None) -> None:
        self.somebody_worked = True
        if isinstance(ended, Killed):
            self._dead[executor]()
        elif ended is not None and not isinstance(ended, EXPECTED):
            raise ended

    def deliver(self, message: Message, cut: Cut | None = None, *, again: bool = False) -> None:
        """A worker gets a task; `again`: the broker does not hear that it was done, and keeps it."""
        task = TASKS[message.task]

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
