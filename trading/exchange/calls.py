"""One network call: announced before, reported after, within the budget, signed again on a wrong clock."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from trading.exchange import parsing_market, weights
from trading.exchange.clock import steady
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import ExchangeError, Refused, RetryLater, StopAndPage
from trading.exchange.http import BinanceHttp, Timeouts

log = logging.getLogger(__name__)

# The rest of the request budget is for exits.
QUERY_SHARE = 0.8

_WRONG_CLOCK = -1021
_TOO_MANY_ORDERS = -1015

_share: ContextVar[float] = ContextVar("share", default=QUERY_SHARE)

# Weight is counted per endpoint, so a query needs to know its own before it is asked.
PATHS: Mapping[str, str] = {
    "symbol_rules": "/api/v3/exchangeInfo",
    "sync_clock": "/api/v3/time",
    "price": "/api/v3/ticker/price",
    "prices": "/api/v3/ticker/price",
    "candles": "/api/v3/klines",
    "aggregate_trades": "/api/v3/aggTrades",
    "listed_pairs": "/sapi/v1/margin/isolated/allPairs",
    "margin_pairs": "/sapi/v1/margin/isolated/account",
    "find_order": "/sapi/v1/margin/order",
    "open_orders": "/sapi/v1/margin/openOrders",
    "trades": "/sapi/v1/margin/myTrades",
    "listen_token": "/sapi/v1/userListenToken",
}


@dataclass(frozen=True, slots=True)
class CallReport:
    """What one call came to. `weights` are the used weights by header name; `http_status` 0 is no answer."""

    name: str
    host: str
    path: str
    seconds: float
    http_status: int
    weights: Mapping[str, int]
    error: ExchangeError | None


@dataclass(slots=True)
class Offset:
    """How far (ms) the exchange's clock is ahead of ours, as last measured by anyone who shares it."""

    ms: int = 0
    is_measured: bool = False


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How calls are made.

    `clock` is a local time in seconds since the epoch, `offset` what to add for the exchange's; it may be
    shared by all threads. `recv_window_ms` applies to everything but orders, which bring their own.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    recv_window_ms: int = 5_000
    clock: Callable[[], float] = steady
    offset: Offset = field(default_factory=Offset)
    before_call: Callable[[str], None] = lambda _name: None
    after_call: Callable[[CallReport], None] = lambda _report: None


@contextmanager
def whole_budget() -> Iterator[None]:
    """What this thread asks in here concerns an order: it may use the last of the request budget too."""
    before = _share.set(1.0)
    try:
        yield
    finally:
        _share.reset(before)


class Caller:
    """Makes one account's calls and keeps their clock and budget. Not thread-safe."""

    def __init__(self, endpoints: Endpoints, api_key: str, api_secret: str, settings: CallSettings) -> None:
        self._settings = settings
        self._budget = weights.Budget()
        self._host = urlsplit(endpoints.api).netloc
        self.http = BinanceHttp(
            endpoints,
            api_key=api_key,
            api_secret=api_secret,
            timeouts=settings.timeouts,
            recv_window_ms=settings.recv_window_ms,
            now_ms=self.now_ms,
        )

    def now_ms(self) -> int:
        return int(self._settings.clock() * 1000) + self._settings.offset.ms

    def once(self, name: str, send: Callable[..., Any], **params: Any) -> Any:
        """Exactly one request."""
        self._settings.before_call(name)
        error: ExchangeError | None = None
        started = time.perf_counter()
        try:
            return send(**params)
        except ExchangeError as raised:
            error = raised
            raise
        finally:
            self._report(name, time.perf_counter() - started, error)

    def query(self, name: str, send: Callable[..., Any], **params: Any) -> Any:
        """A call that changes nothing.

        Raises `RetryLater` unasked when QUERY_SHARE of the budget is spent, or all of it for `whole_budget`.
        """
        self._keep_within_budget(name, _share.get())
        return self.with_right_clock(name, send, **params)

    def _keep_within_budget(self, name: str, share: float) -> None:
        now = self.now_ms()
        wait_s = self._budget.wait_s(PATHS[name], now, share)
        if wait_s > 0:
            why = (
                "the exchange wants no calls" if self._budget.is_quiet(now) else "the request budget is spent"
            )
            raise RetryLater(f"{name} not asked: {why} for another {wait_s:.1f} s", after_s=wait_s)

    def with_right_clock(self, name: str, send: Callable[..., Any], **params: Any) -> Any:
        """A call that may be repeated once when the exchange refuses it for our clock."""
        try:
            return self.once(name, send, **params)
        except Refused as error:
            if error.code != _WRONG_CLOCK:
                raise
        self.sync_clock()
        return self.once(name, send, **params)

    def sync_clock(self) -> int:
        """Measure the offset (ms). Raises RetryLater unasked while the exchange wants no calls."""
        self._keep_within_budget("sync_clock", 1.0)
        # The first question may pay for a handshake: the quicker of two answers is the better measure.
        self._settings.offset.ms = min(self.measured_offset() for _ in range(2))[1]
        self._settings.offset.is_measured = True
        return self._settings.offset.ms

    def ensure_clock(self) -> None:
        """Measure the offset unless it has been. Raises ExchangeError."""
        if not self._settings.offset.is_measured:
            self.sync_clock()

    def measured_offset(self) -> tuple[float, int]:
        """(round trip in seconds, offset in ms), taking the exchange to have answered half-way."""
        asked = self._settings.clock()
        server_ms = parsing_market.server_time(self.once("sync_clock", self.http.get_server_time))
        answered = self._settings.clock()
        return answered - asked, round(server_ms - (asked + answered) * 500)

    def _report(self, name: str, seconds: float, error: ExchangeError | None) -> None:
        response, path = self.http.response, self.http.path
        headers: Mapping[str, str] = {} if response is None else response.headers
        status = 0 if response is None else response.status_code
        now = self.now_ms()
        self._budget = self._budget.observed(path, headers, now)
        if isinstance(error, RetryLater | StopAndPage) and silences(error):
            self._budget = self._budget.quieted(now + int(error.after_s * 1000))
        used = weights.used_weights(headers)
        try:
            self._settings.after_call(CallReport(name, self._host, path, seconds, status, used, error))
        except Exception:  # an answer that cannot be counted is an answer all the same
            log.exception("%s was answered, and could not be reported", name)


def silences(error: RetryLater | StopAndPage) -> bool:
    """Whether the exchange wants to hear nothing at all; too many orders leave queries free."""
    return error.http_status in {403, 418, 429} and error.code != _TOO_MANY_ORDERS
