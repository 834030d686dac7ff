"""The market of a soak at work: prints what is scheduled, and keeps a tape of what was printed."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from robson.local.simulator import Control, SimulatorError
from tests.soak.prices import Print

RESTING_S = 1.0


@dataclass(frozen=True, slots=True)
class Printed:
    """A price as the exchange took it: `at` in seconds since the epoch here, `time_ms` by its own clock."""

    at: float
    time_ms: int
    price: Decimal


@dataclass
class Tape:
    """All prices so far, by symbol, in the order in which they were printed. Read by other threads."""

    prints: dict[str, list[Printed]] = field(default_factory=dict)

    def add(self, symbol: str, printed: Printed) -> None:
        self.prints.setdefault(symbol, []).append(printed)

    def of(self, symbol: str) -> Sequence[Printed]:
        return self.prints.get(symbol, ())

    def last(self, symbol: str) -> Decimal | None:
        printed = self.of(symbol)
        return printed[-1].price if printed else None

    @property
    def count(self) -> int:
        return sum(len(printed) for printed in self.prints.values())


class Market(threading.Thread):
    """Prints the schedule from `started` (seconds since the epoch); then the market rests, until `close`."""

    def __init__(self, control: Control, prints: Sequence[Print], *, started: float) -> None:
        super().__init__(name="market", daemon=True)
        self.tape = Tape()
        self.most_late_s = 0.0
        self.failures = 0
        self._control = control
        self._prints = prints
        self._epoch = started
        self._resting = threading.Event()
        self._closed = threading.Event()

    def rest(self) -> None:
        """Leave out what is still scheduled: prices stay where they are, and go on being printed."""
        self._resting.set()

    def close(self) -> None:
        self._closed.set()
        self.join()

    def run(self) -> None:
        for one in self._prints:
            due = self._epoch + one.at_ms / 1_000
            if self._resting.wait(max(0.0, due - time.time())) or self._closed.is_set():
                break
            self.most_late_s = max(self.most_late_s, time.time() - due)
            self._print(one.symbol, one.price)
        while not self._closed.wait(RESTING_S):
            for symbol in list(self.tape.prints):
                self._print(symbol, self.tape.prints[symbol][-1].price)

    def _print(self, symbol: str, price: Decimal) -> None:
        try:
            answer = self._control.call("POST", "price", {"symbol": symbol, "price": str(price)})
        except SimulatorError:
            self.failures += 1
        else:
            self.tape.add(symbol, Printed(time.time(), answer["time_ms"], price))
