"""What can go wrong between Robson and the exchange, and orders that are still on their way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import urllib3

from trading.domain.types import MarketOrder
from trading.exchange.classify import Signal, from_answer, from_transport
from trading.exchange.errors import ExchangeError


class Mishap(StrEnum):
    """What becomes of the next order."""

    ANSWER_LOST = "accepted, and the answer is lost"
    REQUEST_LOST = "lost on its way there"
    LATE = "arrives later than its sender waits"
    NOT_SENT = "no connection"
    REFUSED = "refused"
    INTERNAL_ERROR = "HTTP 500, nothing accepted"
    PARTLY_FILLED = "filled in part, the rest expires"
    ANSWERED_WITHOUT_FILLS = "the answer leaves its fills out"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mishap; a late order is `travel_ms` on its way and then `work_ms` in the exchange's back end."""

    mishap: Mishap
    travel_ms: int = 0
    work_ms: int = 0


@dataclass(frozen=True, slots=True)
class Flight:
    """An order that the exchange has not executed yet and will, at this time of the exchange (ms)."""

    order: MarketOrder
    executed_ms: int


@dataclass
class Troubles:
    """What is armed.

    `silent`: how many questions get no answer. `lag_ms`: how old an order must be to be found.
    """

    orders: list[Trouble] = field(default_factory=list)
    silent: int = 0
    lag_ms: int = 0

    def next_order(self) -> Trouble | None:
        return self.orders.pop(0) if self.orders else None

    def next_question_fails(self) -> bool:
        if self.silent:
            self.silent -= 1
            return True
        return False

    def clear(self) -> None:
        self.orders.clear()
        self.silent = self.lag_ms = 0


def no_answer(what: str) -> ExchangeError:
    """What the transport makes of a read that timed out."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1")
    return from_transport(urllib3.exceptions.ReadTimeoutError(pool, what, "read timed out"), what)


def no_connection(what: str) -> ExchangeError:
    """What the transport makes of a connection that was refused."""
    host = urllib3.connection.HTTPConnection("127.0.0.1")
    return from_transport(urllib3.exceptions.NewConnectionError(host, "connection refused"), what)


def internal_error() -> ExchangeError:
    return from_answer(Signal(500, -1000, "An unknown error occurred.", "POST"), {})


def refused() -> ExchangeError:
    return from_answer(Signal(400, -2010, "Account has insufficient balance.", "POST"), {})


PLAIN_ERRORS: dict[Mishap, Callable[[], ExchangeError]] = {
    Mishap.REQUEST_LOST: lambda: no_answer("send_market_order"),
    Mishap.NOT_SENT: lambda: no_connection("send_market_order"),
    Mishap.REFUSED: refused,
    Mishap.INTERNAL_ERROR: internal_error,
}
"""Mishaps of an order that never reached the matching engine."""
