"""The simulator's prices, printed again and again: a market is never silent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from robson.local.simulator import Control, SimulatorError

EVERY_S = 0.2
# Some hundred prices a second: as fast as the simulator can be told.
FLOOD_EVERY_S = 0.001


class Market:
    """Prices by symbol, in quote currency. Its thread has a connection of its own."""

    def __init__(self, url: str) -> None:
        self._exchange = Control(url)
        self._prices: dict[str, Decimal] = {}
        self._every_s = EVERY_S
        self._longest_s = 0.0
        # A price that was replaced must not be printed after the one that replaced it.
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="market", daemon=True)
        self._thread.start()

    def set(self, symbol: str, price: Decimal) -> int:
        """Print a price, and go on printing it. Answers when: the simulator's monotonic clock, in ns."""
        with self._lock:
            self._prices[symbol] = price
            return self._print(symbol, price)

    def price(self, symbol: str) -> Decimal:
        return self._prices[symbol]

    def stood_still_s(self) -> float:
        """The longest time (s) without a print since `rest`: the machine was busy, or did not run."""
        return self._longest_s

    def rest(self) -> None:
        """No symbol is traded any more."""
        with self._lock:
            self._prices.clear()
            self._every_s, self._longest_s = EVERY_S, 0.0

    @contextmanager
    def flood(self) -> Iterator[None]:
        """Print as fast as it goes."""
        self._every_s = FLOOD_EVERY_S
        yield
        self._every_s = EVERY_S

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _go_on(self) -> None:
        last = time.monotonic()
        while not self._closing.wait(self._every_s):
            with self._lock:
                now = time.monotonic()
                self._longest_s, last = max(self._longest_s, now - last), now
                for symbol, price in self._prices.items():
                    try:
                        self._print(symbol, price)
                    except SimulatorError:
                        # A control call that fails is told by the next one of the drill itself.
                        break

    def _print(self, symbol: str, price: Decimal) -> int:
        answer = self._exchange.call("POST", "price", {"symbol": symbol, "price": f"{price:f}"})
        return int(answer["published_ns"])
