"""The exchange: which one it is, whether it answers, what time it has, and what the keys may do."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from websockets.exceptions import WebSocketException

from robson.asking import ask
from robson.doctor.findings import Check, Finding, failed, graded, ok, skipped, warning
from trading import gateway, startup
from trading.exchange.errors import ExchangeError, StopAndPage
from trading.exchange.probe import KeyPermissions, Probe, handshake_s
from trading.models import Account

SKEW_MS, MUCH_SKEW_MS = 250, 1_000
LONG_WAY_MS = 500.0
SOCKET_S = 4.0
ACCOUNTS_S = 3.0
EXPIRES_SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Keys:
    """Which environment variables an account names."""

    account: str
    key_env: str
    secret_env: str

    @property
    def missing(self) -> list[str]:
        return [name for name in (self.key_env, self.secret_env) if not os.environ.get(name)]


def hosts() -> list[Finding]:
    problem = startup.host_problem()
    if problem:
        nothing_said = not any(settings.BINANCE.values())
        advice = (
            "Start `make run`, which brings a simulator along" if nothing_said else "Correct the addresses"
        )
        return [failed("hosts", problem, f"{advice}; nothing trades before.")]
    kind = "the real exchange, with real money" if settings.ROBSON_LIVE else "no real exchange among them"
    return [ok("hosts", f"{gateway.endpoints().api}: {kind}")]


def rest() -> list[Finding]:
    """Whether it answers, how far away it is, and whose clock is wrong."""
    with closing(Probe(gateway.endpoints())) as probe:
        try:
            reading = probe.clock()
        except ExchangeError as error:
            advice = "Check the network and BINANCE_API_URL; nothing is traded or closed until it answers."
            return [failed("exchange", str(error), advice)]
    took_ms, skew = reading.round_trip_s * 1000, reading.ahead_ms
    way = "behind" if skew > 0 else "ahead of"
    return [
        graded(
            "exchange",
            took_ms,
            f"answers in {took_ms:.0f} ms",
            "Move Robson nearer to the exchange, or its other traffic away: each exit goes this way.",
            warn_above=LONG_WAY_MS,
        ),
        graded(
            "clock",
            abs(skew),
            f"this machine is {abs(skew)} ms {way} the exchange",
            "Set this machine's clock right (NTP): the exchange refuses orders from another time.",
            warn_above=SKEW_MS,
            fail_above=MUCH_SKEW_MS,
        ),
    ]


def market_stream() -> list[Finding]:
    url = f"{gateway.endpoints().stream}/stream"
    return [_socket("market stream", url, "BINANCE_STREAM_URL", "stops are driven by REST prices meanwhile")]


def user_data() -> list[Finding]:
    url, meanwhile = gateway.endpoints().ws_api, "fills are learnt from REST meanwhile"
    return [_socket("user data", url, "BINANCE_WS_API_URL", meanwhile)]


def _socket(name: str, url: str, variable: str, meanwhile: str) -> Finding:
    try:
        took_s = handshake_s(url, within_s=SOCKET_S)
    except (OSError, WebSocketException) as error:
        reason = str(error) or f"no answer within {SOCKET_S:.0f} s"
        return failed(name, f"{url}: {reason}", f"Check the network and {variable}; {meanwhile}.")
    return ok(name, f"stands after {took_s * 1000:.0f} ms")


def keys() -> list[Finding]:
    return [_keys(one) for one in _accounts()]


def _keys(one: Keys) -> Finding:
    name = f"keys:{one.account}"
    if one.missing:
        advice = "Put them into the environment of every process, or correct the names in the account."
        return failed(name, f"{' and '.join(one.missing)} not set", advice)
    return ok(name, f"{one.key_env} and {one.secret_env} are set")


def permissions() -> list[Finding]:
    """What each account's key may do. One question for each."""
    return [finding for one in _accounts() for finding in _permissions(one)]


def _permissions(one: Keys) -> Iterator[Finding]:
    name = f"permissions:{one.account}"
    if one.missing:
        yield skipped(name, "cannot be told without key and secret")
        return
    key, secret = os.environ[one.key_env], os.environ[one.secret_env]
    with closing(Probe(gateway.endpoints(), api_key=key, api_secret=secret)) as probe:
        try:
            yield from _judged(name, probe.permissions())
        except StopAndPage as error:
            advice = "Check key, secret and the key's list of addresses at Binance."
            yield failed(name, f"the exchange refuses it: {error}", advice)


def _judged(name: str, may: KeyPermissions) -> Iterator[Finding]:
    missing = [
        word
        for word, allowed in (
            ("reading", may.reading),
            ("spot and margin trading", may.trading),
            ("margin loans and repayments", may.borrowing),
        )
        if not allowed
    ]
    if may.withdrawals:
        advice = "Switch withdrawals off for this key at Binance, now: Robson never needs them."
        yield failed(name, "it may WITHDRAW your money", advice)
    if missing:
        advice = "Switch it on for this key at Binance: entries and exits would be refused."
        yield failed(name, f"it may not do {', '.join(missing)}", advice)
    if may.transfers:
        advice = "Switch transfers to other accounts off for this key at Binance: Robson makes none."
        yield warning(name, "it may move money to other accounts", advice)
    if not may.bound_to_addresses:
        advice = "Bind the key to this machine's address at Binance, so that a stolen one is of no use."
        yield warning(name, "it works from every address", advice)
    yield from _expiry(name, may)
    if not (may.withdrawals or missing):
        yield ok(name, "reads, trades and borrows on margin; no withdrawals")


def _expiry(name: str, may: KeyPermissions) -> Iterator[Finding]:
    if may.expires_ms is None:
        return
    at = datetime.fromtimestamp(may.expires_ms / 1000, UTC)
    if at - datetime.now(UTC) < EXPIRES_SOON:
        advice = "Prolong the key's permission at Binance, or bind it to an address, which ends the expiry."
        yield warning(name, f"it ceases to trade at {at:%Y-%m-%d %H:%M} UTC", advice)


def hedge_mode() -> list[Finding]:
    return [skipped("hedge mode", "not used: Robson trades isolated margin only, no futures")]


def _accounts() -> list[Keys]:
    """Of the active accounts; where the database cannot tell, or has none, what the first one would use."""
    try:
        found = ask(lambda: list(Account.objects.filter(active=True))).result(timeout=ACCOUNTS_S)
    except (DatabaseError, TimeoutError):
        found = []
    chosen = found or [Account(name="main")]
    return [Keys(one.name, one.api_key_env, one.api_secret_env) for one in chosen]


CHECKS = (
    Check("hosts", hosts),
    Check("exchange", rest, needs=("hosts",)),
    Check("market stream", market_stream, needs=("hosts",)),
    Check("user data", user_data, needs=("hosts",)),
    Check("keys", keys),
    Check("permissions", permissions, needs=("hosts", "exchange")),
    Check("hedge mode", hedge_mode),
)
