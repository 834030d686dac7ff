"""Is the feed alive? Judged per symbol by its data, never by a connection or an acknowledged subscription."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class FeedAge:
    """When each symbol's stream last delivered. Times in seconds of one monotonic clock.

    A symbol whose data is older than `limit_s` is stale: REST prices take over. It is trusted again once its
    stream has delivered for `hold_down_s` without another such silence: a flapping stream does not decide.
    """

    limit_s: float
    hold_down_s: float
    _last: dict[str, float] = field(default_factory=dict)
    _stale: set[str] = field(default_factory=set)
    _healthy_since: dict[str, float] = field(default_factory=dict)

    def heard(self, symbol: str, now: float) -> None:
        """The stream delivered a price."""
        silent_for = now - self._last.get(symbol, now)
        self._last[symbol] = now
        if symbol in self._stale and (symbol not in self._healthy_since or silent_for > self.limit_s):
            self._healthy_since[symbol] = now

    def judge(self, symbols: Iterable[str], now: float) -> tuple[set[str], set[str]]:
        """The symbols that have just become stale, and those that have just recovered."""
        watched = set(symbols)
        self._forget(watched)
        silent = {symbol for symbol in watched if now - self._last.setdefault(symbol, now) > self.limit_s}
        fallen = silent - self._stale
        self._stale |= silent
        for symbol in silent:
            self._healthy_since.pop(symbol, None)
        recovered = {
            symbol
            for symbol in self._stale - silent
            if now - self._healthy_since.get(symbol, now) >= self.hold_down_s
        }
        self._stale -= recovered
        for symbol in recovered:
            self._healthy_since.pop(symbol, None)
        return fallen, recovered

    @property
    def stale(self) -> frozenset[str]:
        return frozenset(self._stale)

    def age_s(self, symbol: str, now: float) -> float:
        """Seconds since the stream last delivered; 0 for a symbol never asked about."""
        return now - self._last.get(symbol, now)

    def _forget(self, watched: set[str]) -> None:
        for symbol in self._last.keys() - watched:
            del self._last[symbol]
            self._healthy_since.pop(symbol, None)
        self._stale &= watched
