"""The entry signal of one armed position: a fast moving average crossing a slow one, once."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.types import Candle, Side


@dataclass(frozen=True, slots=True)
class Signal:
    """A crossover on a closed candle. The same candle gives the same `id`, so that a replay is recognised.

    `price` is the candle's close; `fast` and `slow` are the averages, all in quote currency.
    """

    id: str
    symbol: str
    side: Side
    candle_close_time_ms: int
    price: Decimal
    fast: Decimal
    slow: Decimal


class CrossoverDetector:
    """Watches closed candles of one symbol and interval for one position, and fires at most once.

    Long fires when the fast simple moving average goes from at or below the slow one to strictly above it,
    short the mirror. Both averages must have been known once before. Candles that closed by `armed_ms` only
    warm the averages up: a crossover from before the owner armed the position is none of its business.

    A missing candle starts everything afresh, since an average over a hole is not one; `gap` stays true
    until both averages are known again. Open candles, duplicates and older candles are ignored.
    """

    def __init__(
        self,
        *,
        position_id: str,
        symbol: str,
        side: Side,
        interval: str,
        fast: int = 9,
        slow: int = 21,
        armed_ms: int = 0,
    ) -> None:
        """`fast` and `slow` count candles. Raises ValueError unless 0 < fast < slow."""
        if not 0 < fast < slow:
            raise ValueError(f"the fast average ({fast}) must be shorter than the slow one ({slow})")
        self.position_id = position_id
        self.symbol = symbol
        self.side = side
        self.interval = interval
        self.armed_ms = armed_ms
        self.fired = False
        self.gap = False
        self._fast = _RunningSum(fast)
        self._slow = _RunningSum(slow)
        self._was_beyond: bool | None = None
        self._last: Candle | None = None

    @property
    def candles_needed(self) -> int:
        """How many closed candles make both averages known."""
        return self._slow.length

    @property
    def ready(self) -> bool:
        """Whether the next candle could fire."""
        return self._was_beyond is not None and not self.fired

    def on_candle(self, candle: Candle) -> Signal | None:
        """The signal, on the candle that completes it. Raises ValueError for another symbol or interval."""
        if (candle.symbol, candle.interval) != (self.symbol, self.interval):
            raise ValueError(
                f"a detector for {self.symbol} {self.interval} was given {candle.symbol} {candle.interval}"
            )
        if self.fired or not candle.closed or self._is_old(candle):
            return None
        self._reset_after_gap(candle)
        self._last = candle
        self._fast.add(candle.close)
        self._slow.add(candle.close)
        return self._evaluate(candle)

    def _is_old(self, candle: Candle) -> bool:
        return self._last is not None and candle.open_time_ms <= self._last.open_time_ms

    def _reset_after_gap(self, candle: Candle) -> None:
        if self._last is None or candle.open_time_ms == self._last.close_time_ms + 1:
            return
        self.gap = True
        self._was_beyond = None
        self._fast.clear()
        self._slow.clear()

    def _evaluate(self, candle: Candle) -> Signal | None:
        if not self._slow.full:
            return None
        crossed = self._was_beyond is False and self._is_beyond()
        self._was_beyond = self._is_beyond()
        self.gap = False
        if not crossed or candle.close_time_ms <= self.armed_ms:
            return None
        self.fired = True
        return Signal(
            id=f"{self.position_id}:{candle.close_time_ms}",
            symbol=self.symbol,
            side=self.side,
            candle_close_time_ms=candle.close_time_ms,
            price=candle.close,
            fast=self._fast.average,
            slow=self._slow.average,
        )

    def _is_beyond(self) -> bool:
        # Cross-multiplied, because comparing two rounded quotients could see equality where there is none.
        fast = self._fast.total * self._slow.length
        slow = self._slow.total * self._fast.length
        return fast > slow if self.side is Side.LONG else fast < slow


class _RunningSum:
    """The exact sum of the last `length` prices, in constant time per price."""

    __slots__ = ("_window", "length", "total")

    def __init__(self, length: int) -> None:
        self.length = length
        self.total = Decimal(0)
        self._window: deque[Decimal] = deque()

    @property
    def full(self) -> bool:
        return len(self._window) == self.length

    @property
    def average(self) -> Decimal:
        return self.total / self.length

    def add(self, price: Decimal) -> None:
        if self.full:
            self.total -= self._window.popleft()
        self._window.append(price)
        self.total += price

    def clear(self) -> None:
        self.total = Decimal(0)
        self._window.clear()
