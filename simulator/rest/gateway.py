"""The way into every signed endpoint: weight, key, freshness, signature, and only then the endpoint."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from aiohttp import web

from simulator import errors, params, signing
from simulator.accounts import Account
from simulator.engine import Arrival
from simulator.exchange import Exchange
from simulator.tokens import Tokens
from simulator.weights import HEADERS, Cost, Scope, Weights

Security = Literal["SIGNED", "KEY", "NONE"]
SIGNING_PARAMS = frozenset({"timestamp", "recvWindow", "signature"})


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints work with."""

    exchange: Exchange
    weights: Weights
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request. `account` is None only where no key is needed."""

    desk: Desk
    account: Account | None
    params: dict[str, str]
    arrived: Arrival

    @property
    def exchange(self) -> Exchange:
        """The exchange itself."""
        return self.desk.exchange

    @property
    def api_key(self) -> str:
        """The caller's key. Raises -2014 when there is none."""
        if self.account is None:
            raise errors.malformed_key()
        return self.account.api_key


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the exchange; `known` are its parameters beside those of signing."""

    method: str
    path: str
    answer: Callable[[Call], Any]
    known: Collection[str]
    cost: Callable[[dict[str, str]], Cost]
    security: Security = "SIGNED"


def fixed_cost(weight: int, scope: Scope, endpoint: str) -> Callable[[dict[str, str]], Cost]:
    """A cost that does not depend on the parameters."""
    cost = Cost(weight, scope, endpoint)
    return lambda _: cost


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request as it arrived: raw query string and raw body, undecoded text."""

    query: str
    body: str
    api_key: str | None
    ip: str
    arrived: Arrival


ENVELOPE = web.RequestKey("envelope", Envelope)


async def envelope(request: web.Request) -> Envelope:
    """Read a request, noting the time first."""
    arrived = Arrival(time.monotonic_ns(), time.time_ns())
    body = (await request.read()).decode("utf-8", "surrogateescape") if request.can_read_body else ""
    query = request.raw_path.partition("?")[2].partition("#")[0]
    return Envelope(query, body, request.headers.get("X-MBX-APIKEY"), request.remote or "", arrived)


def admit(desk: Desk, endpoint: Endpoint, sent: Envelope) -> tuple[Call, dict[str, str]]:
    """Let a request in; returns it with the weight header for its answer. Raises BinanceError otherwise."""
    values = params.read_params(sent.query, sent.body)
    account = _account(desk, endpoint, sent)
    now_ms = desk.exchange.clock.now_ms()
    cost = endpoint.cost(values)
    who = str(account.uid) if cost.scope == "UID" and account else sent.ip
    used = desk.weights.charge(cost, who, sent.ip, now_ms)
    if account is not None and (endpoint.security == "SIGNED" or "signature" in values):
        _check_signature(account, values, sent, now_ms)
    params.refuse_unknown(values, {*endpoint.known, *SIGNING_PARAMS})
    return Call(desk, account, values, sent.arrived), {HEADERS[cost.scope]: str(used)}


def _account(desk: Desk, endpoint: Endpoint, sent: Envelope) -> Account | None:
    if endpoint.security == "NONE" and not sent.api_key:
        return None
    if not sent.api_key:
        raise errors.malformed_key()
    account = desk.exchange.accounts.get(sent.api_key)
    if account is None:
        raise errors.rejected_key()
    return account


def _check_signature(account: Account, values: dict[str, str], sent: Envelope, now_ms: int) -> None:
    given = params.required(values, "signature")
    signing.check_fresh(values, now_ms)
    signing.check_signature(account.secret, given, signing.signed_payload(sent.query, sent.body))


def json_answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer as the exchange sends it."""
    body = msgspec.json.encode(value)
    return web.Response(
        body=body, status=status, headers=headers, content_type="application/json", charset="UTF-8"
    )


def refusal(error: errors.BinanceError, headers: dict[str, str] | None = None) -> web.Response:
    """An error as the exchange answers it."""
    extra = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    return json_answer(error.body(), status=error.status, headers={**(headers or {}), **extra})


def route(desk: Desk, endpoint: Endpoint) -> web.RouteDef:
    """The aiohttp route of an endpoint."""

    async def handle(request: web.Request) -> web.Response:
        headers: dict[str, str] = {}
        try:
            call, headers = admit(desk, endpoint, request[ENVELOPE])
            return json_answer(endpoint.answer(call), headers=headers)
        except errors.BinanceError as error:
            return refusal(error, headers)

    return web.route(endpoint.method, endpoint.path, handle)
