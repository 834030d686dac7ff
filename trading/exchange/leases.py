"""Which pairs' user data one connection carries, until when, and what to do next. No I/O.

Times are the exchange's, in milliseconds.
"""

from collections.abc import Collection
from dataclasses import dataclass

from trading.exchange.backoff import reconnect_delay
from trading.exchange.parsing import ListenToken

_ANSWER_MS = 10_000


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Get a token for this pair and subscribe with it."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    symbol: str
    subscription_id: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until `until_ms`, or until something changes when that is None."""

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """An answer is overdue."""


Step = Subscribe | Unsubscribe | Wait | GiveUp


@dataclass(frozen=True, slots=True)
class _Live:
    subscription_id: int
    renew_ms: int


@dataclass(frozen=True, slots=True)
class _Asked:
    symbol: str
    renew_ms: int
    overdue_ms: int


@dataclass(frozen=True, slots=True)
class _Failed:
    times: int
    retry_ms: int


class Leases:
    """Keeps a subscription alive for every wanted pair. One request is under way at a time."""

    def __init__(self) -> None:
        self._wanted: frozenset[str] = frozenset()
        self._live: dict[str, _Live] = {}
        self._failed: dict[str, _Failed] = {}
        self._asked: tuple[str, _Asked] | None = None

    def want(self, symbols: Collection[str]) -> None:
        self._wanted = frozenset(symbols)

    @property
    def settled(self) -> bool:
        """Whether exactly the wanted pairs are carried."""
        return self._live.keys() == self._wanted

    def symbol_of(self, subscription_id: object) -> str | None:
        found = (symbol for symbol, live in self._live.items() if live.subscription_id == subscription_id)
        return next(found, None)

    def next_step(self, now_ms: int) -> Step:
        if self._asked is not None:
            overdue_ms = self._asked[1].overdue_ms
            return GiveUp() if now_ms >= overdue_ms else Wait(overdue_ms)
        for symbol in sorted(self._live.keys() - self._wanted):
            return Unsubscribe(symbol, self._live[symbol].subscription_id)
        if not self._wanted:
            return Wait(None)
        due_ms, first = min((self._due_ms(symbol), symbol) for symbol in self._wanted)
        return Subscribe(first) if due_ms <= now_ms else Wait(due_ms)

    def asked(self, request_id: str, symbol: str, token: ListenToken, now_ms: int) -> None:
        """A subscription with `token` was sent; the token's own time decides when it is renewed."""
        renew_ms = now_ms + max(0, token.expires_ms - now_ms) * 4 // 5
        self._asked = (request_id, _Asked(symbol, renew_ms, now_ms + _ANSWER_MS))

    def granted(self, request_id: object, subscription_id: int) -> None:
        if self._asked is not None and self._asked[0] == request_id:
            asked = self._asked[1]
            self._live[asked.symbol] = _Live(subscription_id, asked.renew_ms)
            self._failed.pop(asked.symbol, None)
            self._asked = None

    def refused(self, request_id: object, now_ms: int) -> str | None:
        """The pair whose subscription was refused; it is tried again later."""
        if self._asked is None or self._asked[0] != request_id:
            return None
        symbol, self._asked = self._asked[1].symbol, None
        self.failed(symbol, now_ms)
        return symbol

    def failed(self, symbol: str, now_ms: int, *, after_s: float = 0.0) -> None:
        """No token or no subscription for a pair: try again after a while that grows, at least `after_s`."""
        times = self._failed[symbol].times + 1 if symbol in self._failed else 1
        wait_s = max(after_s, reconnect_delay(times, 0.0))
        self._failed[symbol] = _Failed(times, now_ms + int(wait_s * 1000))

    def ended(self, symbol: str) -> None:
        """The subscription of a pair is no more."""
        self._live.pop(symbol, None)

    def _due_ms(self, symbol: str) -> int:
        live, failed = self._live.get(symbol), self._failed.get(symbol)
        return max(0 if live is None else live.renew_ms, 0 if failed is None else failed.retry_ms)
