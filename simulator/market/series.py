"""Every candle of one symbol, in every interval, within bounded memory.

A trade touches the one-second candle only. Closed seconds are folded into the minute, closed minutes into the
longer intervals, and a candle still open is read as the sum of the three. Time closes candles, trades or not:
whoever asks says what time it is, and what ended by then is closed, empty candles at the last price.
"""

from collections import deque
from copy import copy
from decimal import Decimal
from itertools import dropwhile

from simulator.market.candles import Candle, GrowingCandle
from simulator.market.history import LISTED_FOR_MS, Anchor, made_up_candle
from simulator.market.intervals import INTERVALS, next_open, open_at
from simulator.market.trades import TradePrint

CANDLES_KEPT = 1_200
MAX_CANDLES = 1_000
_LONG = tuple(interval for interval in INTERVALS if interval not in {"1s", "1m"})


class Series:
    """The candles of one interval: the last `CANDLES_KEPT` closed ones and the open one."""

    def __init__(self, interval: str, anchor: Anchor, *, known_until_ms: int) -> None:
        self.interval = interval
        self.first_open_ms = open_at(interval, anchor.at_ms)
        self.closed: deque[Candle] = deque(maxlen=CANDLES_KEPT)
        self.current = self._open(self.first_open_ms, anchor.price)
        if self.first_open_ms < known_until_ms:
            self.current.add_candle(made_up_candle(anchor, interval, self.first_open_ms, known_until_ms))

    def advance(self, now_ms: int) -> Candle | None:
        """Close whatever ended by `now_ms`. Answers the one closed candle that had trades, if any."""
        if now_ms <= self.current.close_ms:
            return None
        ended = self.current.frozen()
        self.closed.append(ended)
        self._skip_to_kept(now_ms, ended.close)
        while now_ms > self.current.close_ms:
            self.closed.append(self.current.frozen())
            self.current = self._open(self.current.close_ms + 1, ended.close)
        return ended if ended.trades else None

    @property
    def evicted(self) -> bool:
        """Whether closed candles have been forgotten to stay within memory."""
        oldest = self.closed[0].open_ms if self.closed else self.current.open_ms
        return oldest != self.first_open_ms

    def _skip_to_kept(self, now_ms: int, price: Decimal) -> None:
        """After a long sleep, do not make empty candles only to throw them away."""
        following = self.current.close_ms + 1
        length = following - self.current.open_ms
        if (now_ms - following) // length > 2 * CANDLES_KEPT:
            following = open_at(self.interval, now_ms - CANDLES_KEPT * length)
        self.current = self._open(following, price)

    def _open(self, open_ms: int, price: Decimal) -> GrowingCandle:
        return GrowingCandle(open_ms, next_open(self.interval, open_ms) - 1, price)


class SymbolCandles:
    """All intervals of one symbol, made-up history included."""

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._seconds = Series("1s", anchor, known_until_ms=anchor.at_ms)
        self._minutes = Series("1m", anchor, known_until_ms=self._seconds.first_open_ms)
        self._long: dict[str, Series] = {}

    def add(self, trade: TradePrint) -> None:
        """Count a trade in. A late one counts in the open second: closed candles do not change."""
        self._close_seconds(trade.time_ms)
        self._seconds.current.add_trade(trade)

    def current(self, interval: str, now_ms: int) -> Candle:
        """The candle open at `now_ms`, so far."""
        at_ms = max(now_ms, self._seconds.current.open_ms)
        series = self._settled(interval, at_ms)
        growing = copy(series.current)
        if series is not self._seconds:
            if series is not self._minutes:
                growing.add_candle(self._minutes.current)
            growing.add_candle(self._seconds.current)
        return growing.frozen()

    def closed_since(self, interval: str, open_ms: int, now_ms: int) -> list[Candle]:
        """Candles that opened at `open_ms` or later and have closed by `now_ms`, oldest first."""
        series = self._settled(interval, max(now_ms, self._seconds.current.open_ms))
        newest_first = reversed(series.closed)
        recent: list[Candle] = []
        for candle in newest_first:
            if candle.open_ms < open_ms:
                break
            recent.append(candle)
        return recent[::-1]

    def span(
        self, interval: str, now_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Candle]:
        """Candles by opening time: the first `limit` from `start_ms`, or the last `limit` up to `end_ms`."""
        current = self.current(interval, now_ms)
        series = self._settled(interval, current.open_ms)
        last = min(current.open_ms, current.open_ms if end_ms is None else end_ms)
        recorded = [candle for candle in (*series.closed, current) if candle.open_ms <= last]
        if start_ms is not None:
            recorded = list(dropwhile(lambda candle: candle.open_ms < start_ms, recorded))
            older = [] if series.evicted else self._older_from(series, start_ms, last, limit)
            return [*older, *recorded][:limit]
        missing = limit - len(recorded)
        older = [] if series.evicted or missing <= 0 else self._older_until(series, last, missing)
        return [*older, *recorded][-limit:]

    def _settled(self, interval: str, at_ms: int) -> Series:
        self._close_seconds(at_ms)
        if interval == "1s":
            return self._seconds
        self._close_minutes(at_ms)
        if interval == "1m":
            return self._minutes
        series = self._longer(interval)
        series.advance(at_ms)
        return series

    def _close_seconds(self, at_ms: int) -> None:
        traded = self._seconds.advance(at_ms)
        if traded is not None:
            self._close_minutes(traded.open_ms)
            self._minutes.current.add_candle(traded)

    def _close_minutes(self, at_ms: int) -> None:
        traded = self._minutes.advance(at_ms)
        if traded is not None:
            for interval in _LONG:
                series = self._longer(interval)
                series.advance(traded.open_ms)
                series.current.add_candle(traded)

    def _longer(self, interval: str) -> Series:
        if interval not in self._long:
            known_until = self._minutes.first_open_ms
            self._long[interval] = Series(interval, self._anchor, known_until_ms=known_until)
        return self._long[interval]

    def _older_from(self, series: Series, start_ms: int, last_ms: int, limit: int) -> list[Candle]:
        """Made-up candles that opened from `start_ms` on, before anything was recorded."""
        if start_ms >= series.first_open_ms:
            return []
        interval = series.interval
        listed = max(start_ms, self._anchor.at_ms - LISTED_FOR_MS)
        opened = open_at(interval, listed)
        opened = opened if opened >= listed else next_open(interval, opened)
        older: list[Candle] = []
        while opened < series.first_open_ms and opened <= last_ms and len(older) < limit:
            older.append(self._made_up(interval, opened))
            opened = next_open(interval, opened)
        return older

    def _older_until(self, series: Series, last_ms: int, count: int) -> list[Candle]:
        """The last `count` made-up candles that opened by `last_ms`."""
        interval = series.interval
        opened = open_at(interval, min(last_ms, series.first_open_ms - 1))
        newest_first: list[Candle] = []
        while len(newest_first) < count and opened >= self._anchor.at_ms - LISTED_FOR_MS:
            newest_first.append(self._made_up(interval, opened))
            opened = open_at(interval, opened - 1)
        return newest_first[::-1]

    def _made_up(self, interval: str, open_ms: int) -> Candle:
        return made_up_candle(self._anchor, interval, open_ms, next_open(interval, open_ms))
