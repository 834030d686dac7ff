"""What an error means for the caller, as one table. The first row that fits decides.

Rows on the HTTP status come before rows on codes: where an error comes from says more than what it
claims. Everything that is not provably "not executed" is `OutcomeUnknown`.
"""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import urllib3

from trading.domain.types import Venue
from trading.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused, RetryLater, StopAndPage


@dataclass(frozen=True, slots=True)
class Signal:
    """An error answer: HTTP status, Binance's code (0 when the body has none) and message."""

    http_status: int
    code: int
    message: str
    method: str = "GET"
    venue: Venue = Venue.ISOLATED_MARGIN


@dataclass(frozen=True, slots=True)
class Row:
    """Empty conditions fit everything. `after_s` is the wait when the answer has no Retry-After."""

    outcome: type[ExchangeError]
    statuses: range | tuple[int, ...] = ()
    codes: tuple[int, ...] = ()
    says: str = ""
    venue: Venue | None = None
    method: str = ""
    after_s: float = 0.0

    def fits(self, signal: Signal) -> bool:
        return (
            (not self.statuses or signal.http_status in self.statuses)
            and (not self.codes or signal.code in self.codes)
            and self.says in signal.message.lower()
            and self.venue in {None, signal.venue}
            and self.method in {"", signal.method}
        )


_FUTURES = Venue.USDM_FUTURES

TABLE: tuple[Row, ...] = (
    # A ban grows with every further request; Binance's shortest one is two minutes.
    Row(StopAndPage, statuses=(418,), after_s=120),
    Row(StopAndPage, statuses=(403, 451), after_s=60),
    Row(RetryLater, statuses=(429,), after_s=10),
    # Futures says which of its 503s did nothing; spot and margin never do.
    Row(RetryLater, statuses=(503,), says="service unavailable", venue=_FUTURES, after_s=0.2),
    Row(RetryLater, codes=(-1008,), venue=_FUTURES, after_s=0.2),
    Row(OutcomeUnknown, statuses=range(500, 600)),
    Row(OutcomeUnknown, statuses=(408,)),
    Row(OutcomeUnknown, statuses=range(300, 400)),
    # An earlier request with this client id is alive: it may be ours.
    Row(OutcomeUnknown, says="duplicate order sent", method="POST"),
    Row(OutcomeUnknown, codes=(-4116,), venue=_FUTURES),
    Row(OutcomeUnknown, codes=(-1000, -1001, -1004, -1006, -1007, -1008, -1016, -3000)),
    Row(RetryLater, codes=(-1003, -1015), after_s=10),
    # A borrow or repayment of the account is being worked on, typically for 100 ms.
    Row(RetryLater, codes=(-3007,), after_s=0.2),
    Row(StopAndPage, codes=(-1002, -1022, -2008, -2014, -2015), after_s=60),
    Row(StopAndPage, statuses=(401,), after_s=60),
    # No code: some machine on the way answered, not Binance's gateway.
    Row(OutcomeUnknown, codes=(0,), method="POST"),
    Row(OutcomeUnknown, codes=(0,), method="DELETE"),
    Row(Refused),
)


def from_answer(signal: Signal, headers: Mapping[str, str]) -> ExchangeError:
    """The error that an answer outside 2xx stands for."""
    row = next(row for row in TABLE if row.fits(signal))
    message = signal.message or f"HTTP {signal.http_status} without a message"
    if row.outcome in (RetryLater, StopAndPage):
        after_s = _retry_after(headers, row.after_s)
        kind = RetryLater if row.outcome is RetryLater else StopAndPage
        return kind(message, after_s=after_s, code=signal.code, http_status=signal.http_status)
    return row.outcome(message, code=signal.code, http_status=signal.http_status)


def from_transport(error: Exception, what: str) -> ExchangeError:
    """The error that a failure without an answer stands for. Only what provably stayed here is `NotSent`."""
    message = f"{type(error).__name__} on {what}"
    if any(isinstance(cause, _BEFORE_SENDING) for cause in _wrapped(error)):
        return NotSent(message)
    return OutcomeUnknown(message)


# Raised while the connection is being made, some of them wrapped in others.
_BEFORE_SENDING = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
    urllib3.exceptions.LocationValueError,
    urllib3.exceptions.URLSchemeUnknown,
)


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from. Not `__context__`: that may be an earlier attempt."""
    yield error
    inner = [*error.args, getattr(error, "reason", None)]
    for cause in inner:
        if isinstance(cause, BaseException) and cause is not error:
            yield from _wrapped(cause)


def _retry_after(headers: Mapping[str, str], default: float) -> float:
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() else default
