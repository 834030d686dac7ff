"""The WebSocket API at `/ws-api/v3`: user data, pushed in envelopes `{"subscriptionId", "event"}`."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from simulator import errors, signing
from simulator.rest.gateway import Desk
from simulator.streams.connection import Connection, StreamSettings
from simulator.weights import Cost

STREAM = "user"
PATH = "/ws-api/v3"
_HEARTBEAT_S = 40.0
_MAX_MESSAGE = 64 * 1024

Params = Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Subscription:
    """The events of one account and pair on one connection; `expiry` ends it."""

    number: int
    api_key: str
    symbol: str | None
    expires_ms: int | None
    expiry: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Session:
    """One connection and what it follows."""

    connection: Connection
    ip: str
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    next_number: int = 0

    def send(self, message: Any) -> None:
        """Send one JSON message."""
        self.connection.send_text(msgspec.json.encode(message))

    def end(self, number: int) -> None:
        """Forget a subscription."""
        subscription = self.subscriptions.pop(number, None)
        if subscription is not None and subscription.expiry is not None:
            subscription.expiry.cancel()


class UserStreams:
    """All sessions of the WebSocket API."""

    def __init__(self, desk: Desk, settings: StreamSettings | None = None) -> None:
        self.desk = desk
        self.settings = settings or StreamSettings()
        self.sessions: set[Session] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._methods: dict[str, Callable[[Session, Params], Any]] = {
            "ping": lambda _session, _params: {},
            "time": lambda _session, _params: {"serverTime": desk.exchange.clock.now_ms()},
            "userDataStream.subscribe.listenToken": self._by_token,
            "userDataStream.subscribe.signature": self._by_signature,
            "userDataStream.unsubscribe": self._unsubscribe,
            "session.subscriptions": self._list,
        }
        desk.exchange.faults.listeners.append(self._drop_as_armed)

    def routes(self) -> list[web.RouteDef]:
        """Where clients connect."""
        return [web.get(PATH, self._serve)]

    def publish(self, api_key: str, symbol: str, event: dict[str, Any]) -> None:
        """Push an event to everybody who follows this account and pair."""
        faults = self.desk.exchange.faults
        for session in list(self.sessions):
            for subscription in list(session.subscriptions.values()):
                if (subscription.api_key, subscription.symbol) != (api_key, symbol):
                    continue
                if faults.armed and faults.take("mute_stream", stream=STREAM, symbol=symbol, api_key=api_key):
                    continue
                session.send({"subscriptionId": subscription.number, "event": event})

    async def close(self, _app: web.Application | None = None) -> None:
        """Close every connection."""
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, compress=False, max_msg_size=_MAX_MESSAGE, timeout=1.0
        )
        await socket.prepare(request)
        if request.transport is None:
            return socket
        connection = Connection(
            request.transport, combined=False, max_waiting=self.settings.max_waiting, last_pong=0.0
        )
        session = Session(connection, request.remote or "")
        self._remember(session)
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    session.send(self._answer(session, message.data))
        finally:
            self._forget(session)
            self._sockets.discard(socket)
        return socket

    def _remember(self, session: Session) -> None:
        # Without a listener no event need be built.
        if not self.sessions:
            self.desk.exchange.announcer.sinks.append(self.publish)
        self.sessions.add(session)

    def _forget(self, session: Session) -> None:
        if self.sessions == {session}:
            self.desk.exchange.announcer.sinks.remove(self.publish)
        self.sessions.discard(session)
        for number in list(session.subscriptions):
            session.end(number)

    def _answer(self, session: Session, text: str | bytes) -> dict[str, Any]:
        identity = None
        try:
            request = _parse(text)
            identity = request.get("id")
            method = self._methods.get(str(request.get("method")))
            if method is None:
                raise errors.BinanceError(-1020, "This operation is not supported.")
            used = self._charge(session)
            result = method(session, _params(request))
        except errors.BinanceError as error:
            return {"id": identity, "status": error.status, "error": error.body(), "rateLimits": []}
        return {"id": identity, "status": 200, "result": result, "rateLimits": [_rate_limit(used)]}

    def _charge(self, session: Session) -> int:
        now_ms = self.desk.exchange.clock.now_ms()
        return self.desk.weights.charge(Cost(2, "API"), session.ip, session.ip, now_ms)

    def _by_token(self, session: Session, params: Params) -> Any:
        now_ms = self.desk.exchange.clock.now_ms()
        token = self.desk.tokens.resolve(str(params.get("listenToken", "")), now_ms)
        known = next(
            (
                one
                for one in session.subscriptions.values()
                if (one.api_key, one.symbol) == (token.api_key, token.symbol)
            ),
            None,
        )
        subscription = known or self._add(session, token.api_key, token.symbol)
        self._expire_at(session, subscription, token.expires_ms)
        return {"subscriptionId": subscription.number, "expirationTime": token.expires_ms}

    def _by_signature(self, session: Session, params: Params) -> Any:
        """Follow the spot account: acknowledged as by the real exchange, and silent: nothing trades spot."""
        values = {str(name): str(value) for name, value in params.items()}
        account = self.desk.exchange.accounts.get(values.get("apiKey", ""))
        if account is None:
            raise errors.rejected_key()
        payload = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
        signing.check_fresh(values, self.desk.exchange.clock.now_ms())
        signing.check_signature(account.secret, values.get("signature", ""), payload)
        return {"subscriptionId": self._add(session, account.api_key, None).number}

    def _add(self, session: Session, api_key: str, symbol: str | None) -> Subscription:
        subscription = Subscription(session.next_number, api_key, symbol, None)
        session.subscriptions[subscription.number] = subscription
        session.next_number += 1
        return subscription

    def _expire_at(self, session: Session, subscription: Subscription, expires_ms: int) -> None:
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        subscription.expires_ms = expires_ms
        delay = max(0.0, (expires_ms - self.desk.exchange.clock.now_ms()) / 1_000)
        loop = asyncio.get_running_loop()
        subscription.expiry = loop.call_later(delay, self._terminate, session, subscription)

    def _terminate(self, session: Session, subscription: Subscription) -> None:
        session.end(subscription.number)
        event = {"e": "eventStreamTerminated", "E": self.desk.exchange.clock.now_ms()}
        session.send({"subscriptionId": subscription.number, "event": event})

    def _unsubscribe(self, session: Session, params: Params) -> Any:
        number = params.get("subscriptionId")
        if number is not None and number not in session.subscriptions:
            raise errors.invalid_data("subscriptionId")
        for one in list(session.subscriptions) if number is None else [number]:
            session.end(one)
        return {}

    def _list(self, session: Session, _: Params) -> Any:
        return [
            {"subscriptionId": one.number, "expirationTime": one.expires_ms}
            for one in session.subscriptions.values()
        ]

    def _drop_as_armed(self) -> None:
        """Break the connections that an armed `drop_stream` names.

        Only a fault meant for this stream alone is used up here; the market streams count the others.
        """
        faults = self.desk.exchange.faults
        for session in list(self.sessions):
            matches = [
                {"stream": STREAM, "symbol": one.symbol, "api_key": one.api_key}
                for one in session.subscriptions.values()
            ]
            fault = next(
                (f for m in matches or [{"stream": STREAM}] if (f := faults.active("drop_stream", **m))), None
            )
            if fault is None:
                continue
            session.connection.drop()
            self._forget(session)
            if fault.conditions.get("stream") == STREAM and fault.count is not None:
                faults.remove(fault)


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.BinanceError(-1135, "Invalid JSON Request") from error
    if not isinstance(request, dict) or not isinstance(request.get("id"), str | int | None):
        raise errors.BinanceError(-1135, "Invalid JSON Request")
    return request


def _params(request: dict[str, Any]) -> Params:
    params = request.get("params") or {}
    if not isinstance(params, dict):
        raise errors.BinanceError(-1135, "Invalid JSON Request")
    return params


def _rate_limit(used: int) -> dict[str, Any]:
    return {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6_000,
        "count": used,
    }
