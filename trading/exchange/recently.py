"""Answers that people look at, asked for once and given again for a moment."""

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from trading.domain.types import Candle, SymbolRules, Tick
from trading.exchange.errors import ExchangeError, RetryLater, StopAndPage
from trading.exchange.port import Exchange

Answer = TypeVar("Answer")


class Recently:
    """Answers at most `max_age_ms` old, shared by all threads.

    Who asks the same at the same time waits for the one answer. When the exchange wants silence it is not
    asked at all until then.
    """

    def __init__(self, max_age_ms: int) -> None:
        self._max_age_ms = max_age_ms
        self._known: dict[Hashable, tuple[int, object]] = {}
        self._asking: dict[Hashable, threading.Lock] = defaultdict(threading.Lock)
        self._silence: tuple[int, ExchangeError] | None = None

    def get(self, key: Hashable, now_ms: int, ask: Callable[[], Answer]) -> Answer:
        """Raises whatever `ask` raises, or what it last raised while the exchange wants silence."""
        with self._asking[key]:
            asked_ms, answer = self._known.get(key, (0, None))
            if key in self._known and 0 <= now_ms - asked_ms < self._max_age_ms:
                return answer  # type: ignore[return-value]  # what was stored under this key
            self._respect_silence(now_ms)
            try:
                answer = ask()
            except (RetryLater, StopAndPage) as error:
                self._silence = (now_ms + int(error.after_s * 1000), error)
                raise
            self._known[key] = (now_ms, answer)
            return answer

    def _respect_silence(self, now_ms: int) -> None:
        if self._silence is not None and now_ms < self._silence[0]:
            raise self._silence[1].with_traceback(None)


class LateQuotes:
    """An exchange's prices and candles, as old as the cache allows at most. For pages, never for orders."""

    def __init__(self, exchange: Exchange, cache: Recently) -> None:
        self._exchange = exchange
        self._cache = cache

    def symbol_rules(self, symbol: str) -> SymbolRules:
        return self._exchange.symbol_rules(symbol)

    def price(self, symbol: str) -> Tick:
        return self._ask(("price", symbol), lambda: self._exchange.price(symbol))

    def candles(self, symbol: str, interval: str, *, limit: int) -> Sequence[Candle]:
        key = ("candles", symbol, interval, limit)
        return self._ask(key, lambda: self._exchange.candles(symbol, interval, limit=limit))

    def _ask(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        return self._cache.get(key, self._exchange.now_ms(), ask)
