"""Bans, as facts: noted in memory where they are met, written down where nothing waits for it.

Whoever is refused may be in the middle of an exit: noting costs no question, and writing is another's turn.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError

from trading import journal
from trading.domain.clocks import latest
from trading.domain.events import EventKind
from trading.exchange.errors import ExchangeError, StopAndPage

log = logging.getLogger(__name__)

# Banned, or shut out by the exchange's firewall or by law: no call of this address is answered.
REFUSES_ALL = frozenset({403, 418, 451})
# Each thread meets the same ban, and each reckons its end from its own answer.
SAME_END = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Ban:
    """What one answer said. `until` is when the exchange may be called again."""

    account: str
    at: datetime
    until: datetime
    http_status: int
    error: str


_lock = threading.Lock()
_noted: dict[str, Ban] = {}
_unwritten: list[Ban] = []


def note(account: str, error: ExchangeError, at: datetime) -> None:
    """Remember a ban, once for all threads of this process; anything else is none of its business."""
    if not isinstance(error, StopAndPage) or error.http_status not in REFUSES_ALL:
        return
    ban = Ban(account, at, at + timedelta(seconds=error.after_s), error.http_status, error.message)
    with _lock:
        known = _noted.get(account)
        if known is None or known.at > latest(at) or ban.until > known.until + SAME_END:
            _noted[account] = ban
            _unwritten.append(ban)


def forget() -> None:
    """As in a process that has just begun."""
    with _lock:
        _noted.clear()
        _unwritten.clear()


def write() -> None:
    """Append what was noted to the event log. It stays noted while the database is away; raises nothing."""
    while _unwritten:
        ban = _unwritten[0]
        try:
            journal.append(EventKind.EXCHANGE_BANNED, None, at=ban.at, **_told(ban))
        except DatabaseError as error:
            log.error("the ban of %s is not written down yet: %s", ban.account, error)
            return
        _unwritten.remove(ban)


def _told(ban: Ban) -> dict[str, Any]:
    return {
        "account": ban.account,
        "until": ban.until,
        "http_status": ban.http_status,
        "error": ban.error[:200],
    }
