"""User data of one account's isolated pairs, over the WebSocket API."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection

from trading.exchange.connection import (
    SHUTDOWN,
    Duty,
    Link,
    LinkState,
    OnState,
    keep_connected,
    log_state,
    serve_both,
)
from trading.exchange.errors import ExchangeError, RetryLater, StopAndPage
from trading.exchange.leases import GiveUp, Leases, Subscribe, Unsubscribe, Wait
from trading.exchange.parsing import ListenToken
from trading.exchange.user_events import StreamTerminated, UserEvent, user_event

NewToken = Callable[[str], Awaitable[ListenToken]]


class UserStream:
    """Delivers what happens to the wanted pairs to `on_event`, for as long as `run` is not cancelled.

    `url` is the WebSocket API's whole address. `new_token` gives a listen token for a symbol and may raise
    ExchangeError, which is reported and tried again. `now_ms` is the exchange's time. After every SUBSCRIBED,
    events may have been missed: reconcile. The callbacks run on the event loop; what they raise ends `run`.
    """

    def __init__(
        self,
        url: str,
        new_token: NewToken,
        on_event: Callable[[UserEvent], None],
        on_state: OnState = log_state,
        *,
        now_ms: Callable[[], int],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url = url
        self._new_token = new_token
        self._on_event = on_event
        self._on_state = on_state
        self._now_ms = now_ms
        self._jitter = jitter
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._last_id = 0

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Carry exactly these pairs from now on. Call it on the event loop."""
        self._wanted = frozenset(symbols)
        self._changed.set()

    async def run(self) -> None:
        await keep_connected(self._url, self._serve, self._on_state, jitter=self._jitter)

    async def _serve(self, socket: ClientConnection, duty: Duty) -> str:
        leases = Leases()
        return await serve_both(self._read(socket, leases, duty), self._keep_subscribed(socket, leases, duty))

    async def _read(self, socket: ClientConnection, leases: Leases, duty: Duty) -> str:
        while True:
            frame = await socket.recv(decode=False)
            if SHUTDOWN in frame:
                duty.leaving.set()
            else:
                self._take(_message(frame), leases, duty)

    def _take(self, message: dict[str, Any], leases: Leases, duty: Duty) -> None:
        if "event" in message:
            self._take_event(message, leases)
        elif "id" in message:
            self._take_answer(message, leases, duty)

    def _take_event(self, message: dict[str, Any], leases: Leases) -> None:
        symbol = leases.symbol_of(message.get("subscriptionId"))
        if symbol is None:
            return
        event = user_event(message["event"], symbol=symbol)
        if isinstance(event, StreamTerminated):
            leases.ended(symbol)
            self._changed.set()
        elif event is not None:
            self._on_event(event)

    def _take_answer(self, message: dict[str, Any], leases: Leases, duty: Duty) -> None:
        result = message.get("result")
        subscription_id = result.get("subscriptionId") if isinstance(result, dict) else None
        if isinstance(subscription_id, int):
            leases.granted(message["id"], subscription_id)
            if leases.settled:
                duty.say(LinkState(Link.SUBSCRIBED))
        elif symbol := leases.refused(message["id"], self._now_ms()):
            duty.say(LinkState(Link.REFUSED, f"{symbol}: {message.get('error')}"))
        self._changed.set()

    async def _keep_subscribed(self, socket: ClientConnection, leases: Leases, duty: Duty) -> str:
        while True:
            leases.want(self._wanted)
            if leases.settled:
                duty.ready.set()
            match leases.next_step(self._now_ms()):
                case Subscribe(symbol):
                    await self._subscribe(socket, leases, duty, symbol)
                case Unsubscribe(symbol, subscription_id):
                    await self._send(socket, "userDataStream.unsubscribe", subscriptionId=subscription_id)
                    leases.ended(symbol)
                case Wait(until_ms):
                    await self._changes(until_ms)
                case GiveUp():
                    return "a subscription stayed unanswered"

    async def _subscribe(self, socket: ClientConnection, leases: Leases, duty: Duty, symbol: str) -> None:
        try:
            token = await self._new_token(symbol)
        except ExchangeError as error:
            after_s = error.after_s if isinstance(error, RetryLater | StopAndPage) else 0.0
            leases.failed(symbol, self._now_ms(), after_s=after_s)
            duty.say(LinkState(Link.REFUSED, f"{symbol}: {error}"))
            return
        request_id = await self._send(socket, "userDataStream.subscribe.listenToken", listenToken=token.token)
        leases.asked(request_id, symbol, token, self._now_ms())

    async def _send(self, socket: ClientConnection, method: str, **params: Any) -> str:
        self._last_id += 1
        request_id = f"user-{self._last_id}"
        await socket.send(json.dumps({"id": request_id, "method": method, "params": params}))
        return request_id

    async def _changes(self, until_ms: int | None) -> None:
        within_s = None if until_ms is None else max(0.0, (until_ms - self._now_ms()) / 1000)
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()


def _message(frame: bytes) -> dict[str, Any]:
    """The frame's object; an empty one for what is none, which nobody then reacts to."""
    try:
        body = msgspec.json.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
