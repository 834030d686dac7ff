"""Past prices for the charts: asked of the exchange when somebody looks, and kept for a while.

One thread asks, so that any number of viewers is one question at a time, on a connection that is kept.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, field

from django.db import connections

from trading import gateway
from trading.domain.types import Candle
from trading.explain import EXPECTED, explain
from trading.models import Account

log = logging.getLogger(__name__)

INTERVALS_S = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
}
MOST_CANDLES = 600
MOST_KEPT = 64
FRESH_S, PAST_FRESH_S, REFUSED_FRESH_S = 5.0, 3_600.0, 5.0
PATIENCE_S = 4.0
NOT_IN_TIME = "The exchange did not answer in time."


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for; times in ms, aligned to the interval so that viewers of one chart ask the same."""

    symbol: str
    interval: str
    start_ms: int
    end_ms: int
    over: bool


@dataclass(frozen=True, slots=True)
class Past:
    """The answer; `trouble` says why there is none."""

    candles: Sequence[Candle] = ()
    trouble: str = ""


def span(symbol: str, start_s: float, end_s: float, *, over: bool) -> Span:
    """With the finest interval that needs no more than MOST_CANDLES. `over`: it does not grow any more."""
    long_enough = (name for name, each in INTERVALS_S.items() if (end_s - start_s) / each <= MOST_CANDLES)
    interval = next(long_enough, "1d")
    step = INTERVALS_S[interval]
    return Span(
        symbol, interval, int(start_s // step) * step * 1000, (int(end_s // step) + 1) * step * 1000, over
    )


@dataclass
class Cache:
    """The last answers, the least used go first. `clock` is monotonic, in seconds."""

    clock: Callable[[], float] = time.monotonic
    _kept: "OrderedDict[Span, tuple[float, Past]]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, wanted: Span) -> Past | None:
        """The answer, if it is fresh enough."""
        with self._lock:
            until, past = self._kept.get(wanted, (0.0, None))
            if past is None or until < self.clock():
                return None
            self._kept.move_to_end(wanted)
            return past

    def put(self, wanted: Span, past: Past) -> None:
        fresh_s = REFUSED_FRESH_S if past.trouble else PAST_FRESH_S if wanted.over else FRESH_S
        with self._lock:
            self._kept[wanted] = (self.clock() + fresh_s, past)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


_cache = Cache()
_asking = ThreadPoolExecutor(1, thread_name_prefix="candles")


def past(account: Account, wanted: Span) -> Past:
    """The prices of a span, from the cache or from the exchange. Raises nothing of the exchange's."""
    found = _cache.get(wanted)
    if found is not None:
        return found
    try:
        return _asking.submit(_ask, account, wanted).result(PATIENCE_S)
    except TooLate:
        return Past(trouble=NOT_IN_TIME)


def _ask(account: Account, wanted: Span) -> Past:
    found = _cache.get(wanted)
    if found is not None:
        return found
    try:
        candles = gateway.exchange_for(account).candles_between(
            wanted.symbol, wanted.interval, start_ms=wanted.start_ms, end_ms=wanted.end_ms
        )
        answer = Past(candles)
    except EXPECTED as error:
        log.warning("no past prices of %s: %s", wanted.symbol, error)
        answer = Past(trouble=explain(error))
    finally:
        # A new connection to the exchange asks the database whose key it is; this thread needs it no further.
        connections.close_all()
    _cache.put(wanted, answer)
    return answer
