"""Connections to the exchange: one per account and thread, with the rules that hold for every call."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial

from django.conf import settings
from django.db import connection

from trading import bans, journal, metrics
from trading.domain.types import ListedPair
from trading.exchange import weights
from trading.exchange.calls import CallReport, CallSettings, Offset, silences
from trading.exchange.clock import steady
from trading.exchange.endpoints import Endpoints, check_mix
from trading.exchange.errors import RetryLater, StopAndPage
from trading.exchange.http import Timeouts
from trading.exchange.recently import LateQuotes, Recently
from trading.exchange.rest import BinanceMargin
from trading.exchange.rules_cache import RulesCache
from trading.execution import Desk
from trading.models import Account

log = logging.getLogger(__name__)

KEYS_AGAIN_S = 2.0
# How old what a page shows may be: a price while a form is filled in, the list of pairs.
PRICE_FOR_A_PAGE_MS = 2_000
PAIRS_FOR_A_PAGE_MS = 600_000

_local = threading.local()
# Accounts whose key was found to be nobody else's.
_alone: set[int] = set()


class CallInTransaction(RuntimeError):
    """An exchange call was about to be made while a database transaction was open."""


class MissingCredentials(StopAndPage):
    """The account's API key or secret is not in the environment; the text names the variables.

    Nothing was sent. Another process may have the keys: an order waits no longer than for the next sweep.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, after_s=KEYS_AGAIN_S)


class SharedCredentials(MissingCredentials):
    """An older account that is active has the same key: each would close the other's positions as well."""


def endpoints() -> Endpoints:
    """The configured hosts. Raises MixedHosts or BadEndpoint rather than touch a host by mistake."""
    found = Endpoints.from_values(settings.BINANCE)
    check_mix(found, settings.ROBSON_LIVE)
    return found


def exchange_for(account: Account) -> BinanceMargin:
    """This thread's connection to one account. Raises MissingCredentials."""
    cache: dict[int, BinanceMargin] = _local.__dict__.setdefault("exchanges", {})
    if account.pk not in cache:
        cache[account.pk] = _connect(account)
    return cache[account.pk]


def desk_for(account: Account) -> Desk:
    """What an executor in this thread works with."""
    holder = f"{journal.source()}:{threading.get_ident() % 100_000}"
    return Desk(exchange=exchange_for(account), holder=holder, clock=utc_now)


def quotes_for(account: Account) -> LateQuotes:
    """Prices for a page that asks again and again. Raises MissingCredentials."""
    return LateQuotes(exchange_for(account), _quotes_at(endpoints().api))


def pairs_for(account: Account) -> Sequence[ListedPair]:
    """The pairs that can be traded, as of the last minutes. Raises ExchangeError."""
    exchange = exchange_for(account)
    return _pairs_at(endpoints().api).get("pairs", exchange.now_ms(), exchange.listed_pairs)


def utc_now() -> datetime:
    return datetime.now(UTC)


def exchange_clock() -> Callable[[], int]:
    """Tells the exchange's time (ms), as far as this process has measured it."""
    offset = _offset_at(endpoints().api)
    return lambda: int(steady() * 1000) + offset.ms


def _connect(account: Account) -> BinanceMargin:
    key, secret = os.environ.get(account.api_key_env, ""), os.environ.get(account.api_secret_env, "")
    if not key or not secret:
        raise MissingCredentials(
            f"account {account}: set {account.api_key_env} and {account.api_secret_env} in the environment"
        )
    connect_s, read_s = settings.HTTP_TIMEOUT_S
    if account.pk not in _alone:
        _require_own(key, account)
    hosts = endpoints()
    how = CallSettings(
        timeouts=Timeouts(connect_s, read_s),
        offset=_offset_at(hosts.api),
        before_call=refuse_in_transaction,
        after_call=partial(_note, account.name),
    )
    return BinanceMargin(hosts, api_key=key, api_secret=secret, settings=how, rules=_rules_at(hosts.api))


def _require_own(key: str, account: Account) -> None:
    """Raises SharedCredentials. Asked once per process: an exit that reads ahead need not."""
    for older in Account.objects.filter(active=True, pk__lt=account.pk):
        if os.environ.get(older.api_key_env) == key:
            raise SharedCredentials(
                f"account {account}: {account.api_key_env} is the key of account {older}; give it its own"
            )
    _alone.add(account.pk)


@cache
def _rules_at(_api: str) -> RulesCache:
    """One for all threads: what one of them has asked, an exit in another need not ask again."""
    return RulesCache()


@cache
def _offset_at(_api: str) -> Offset:
    """One for all threads too: some only ask what needs no signature, and never hear that it is wrong."""
    return Offset()


@cache
def _quotes_at(_api: str) -> Recently:
    return Recently(PRICE_FOR_A_PAGE_MS)


@cache
def _pairs_at(_api: str) -> Recently:
    return Recently(PAIRS_FOR_A_PAGE_MS)


def refuse_in_transaction(name: str) -> None:
    """Rule 2: no exchange call inside a transaction. Raised in tests; in production an exit matters more."""
    if not connection.in_atomic_block:
        return
    message = f"exchange call {name} inside a database transaction"
    if settings.STRICT_TRANSACTIONS:
        raise CallInTransaction(message)
    log.error(message)


def _note(account: str, report: CallReport) -> None:
    _measure(account, report)
    if report.error is not None:
        bans.note(account, report.error, utc_now())


def _measure(account: str, report: CallReport) -> None:
    outcome = type(report.error).__name__ if report.error else "ok"
    metrics.EXCHANGE_CALLS.labels(call=report.name, outcome=outcome).inc()
    metrics.EXCHANGE_SECONDS.labels(call=report.name).observe(report.seconds)
    _measure_budget(account, report)


def _measure_budget(account: str, report: CallReport) -> None:
    for name, used in report.weights.items():
        limit, path = weights.counted_at(name, report.path)
        # What counts an account's own weight is the same from whichever address it is asked.
        whose = account if "UID" in name else ""
        metrics.WEIGHT_USED.labels(host=report.host, limit=limit, path=path, account=whose).set(used)
    error = report.error
    if isinstance(error, RetryLater | StopAndPage) and silences(error):
        metrics.REFUSED.labels(host=report.host, status=error.http_status).inc()
        metrics.QUIET_UNTIL.labels(host=report.host).set(time.time() + error.after_s)
