"""Market data: one connection that carries whatever streams are wanted, and comes back when it breaks."""

import asyncio
import random
import re
from collections.abc import Callable, Collection

import msgspec
from websockets.asyncio.client import ClientConnection

from trading.exchange.connection import (
    LASTS_S,
    SHUTDOWN,
    Duty,
    Link,
    LinkState,
    OnState,
    keep_connected,
    log_state,
    serve_both,
)
from trading.exchange.port import MAX_STREAMS
from trading.exchange.subscriptions import Subscriptions

# Binance closes a connection that sends more than 5 messages in a second, pings and pongs included.
_PACE_S = 0.4
# Binance closes the whole connection over a name that it cannot read.
_NAME = re.compile(r"[a-z0-9_]+@[A-Za-z0-9_]+(?:@[0-9]+ms)?", re.ASCII)
_MARKET_FRAME = b'{"stream":'


class MarketStream:
    """Delivers the raw frames of the wanted streams to `on_frame`, for as long as `run` is not cancelled.

    `url` is a stream host, such as wss://stream.binance.com:9443. The callbacks run on the event loop; while
    one runs, nothing is read, and the exchange's own flow control holds the rest. What they raise ends `run`.
    """

    def __init__(
        self,
        url: str,
        on_frame: Callable[[bytes], None],
        on_state: OnState = log_state,
        *,
        lasts_s: float = LASTS_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`lasts_s`: another connection takes over when one has stood for that many seconds."""
        self._url = f"{url}/stream"
        self._lasts_s = lasts_s
        self._on_frame = on_frame
        self._on_state = on_state
        self._jitter = jitter
        self._wanted: frozenset[str] = frozenset()
        self._edition = 0
        self._given_up = 0
        self._changed = asyncio.Event()

    def set_streams(self, names: Collection[str]) -> bool:
        """Carry exactly these from now on, such as btcusdt@trade. Call it on the event loop.

        True when some of them are new: `on_state` hears SUBSCRIBED or REFUSED once all are settled.
        Raises ValueError for a malformed name, and for more than one connection may carry.
        """
        malformed = sorted(name for name in names if not _NAME.fullmatch(name))
        if malformed:
            raise ValueError(f"not names of streams: {malformed}")
        if len(set(names)) > MAX_STREAMS:
            raise ValueError(f"{len(set(names))} streams, one connection carries {MAX_STREAMS}")
        before, self._wanted = self._wanted, frozenset(names)
        if self._wanted != before:
            self._edition += 1
            self._changed.set()
        return not self._wanted <= before

    def reconnect(self) -> None:
        """Give the connection up, for one that stands and acknowledges but delivers nothing."""
        self._given_up += 1
        self._changed.set()

    async def run(self) -> None:
        await keep_connected(
            self._url, self._serve, self._on_state, lasts_s=self._lasts_s, jitter=self._jitter
        )

    async def _serve(self, socket: ClientConnection, duty: Duty) -> str:
        subscriptions = Subscriptions()
        return await serve_both(
            self._read(socket, subscriptions, duty), self._keep_subscribed(socket, subscriptions, duty)
        )

    async def _read(self, socket: ClientConnection, subscriptions: Subscriptions, duty: Duty) -> str:
        while True:
            frame = await socket.recv(decode=False)
            if SHUTDOWN in frame:
                duty.leaving.set()
            elif frame.startswith(_MARKET_FRAME):
                self._on_frame(frame)
            else:
                self._take_other(frame, subscriptions, duty)

    def _take_other(self, frame: bytes, subscriptions: Subscriptions, duty: Duty) -> None:
        """Answers to requests, and market frames that are spelled unusually; `on_frame` judges the rest."""
        answer = _answer(frame)
        if answer is None:
            self._on_frame(frame)
            return
        subscriptions.answered(*answer)
        self._changed.set()
        self._tell(subscriptions, duty)

    def _tell(self, subscriptions: Subscriptions, duty: Duty) -> None:
        """Say, once for each change of what is wanted, that all of it is carried or refused."""
        subscriptions.want(self._wanted)
        if subscriptions.newly_settled(self._edition):
            refused = ", ".join(f"{name}: {why}" for name, why in sorted(subscriptions.refused.items()))
            duty.say(LinkState(Link.REFUSED if refused else Link.SUBSCRIBED, refused))

    async def _keep_subscribed(
        self, socket: ClientConnection, subscriptions: Subscriptions, duty: Duty
    ) -> str:
        clock, given_up = asyncio.get_running_loop().time, self._given_up
        while self._given_up == given_up:
            self._tell(subscriptions, duty)
            if subscriptions.settled:
                duty.ready.set()
            request = subscriptions.next_request(clock())
            if request is not None:
                await socket.send(request)
                await asyncio.sleep(_PACE_S)
            elif not await self._changes(subscriptions.overdue_in(clock())):
                return "a subscription stayed unanswered"
        return "the consumer asked for another connection"

    async def _changes(self, within_s: float | None) -> bool:
        """Wait until there may be something to do. False when `within_s` seconds passed instead."""
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


def _answer(frame: bytes) -> tuple[object, str] | None:
    """(request id, error) of an answer to a request; None for anything else."""
    try:
        body = msgspec.json.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(body, dict) or "id" not in body:
        return None
    failed = "error" in body or "code" in body
    return body["id"], str(body.get("error") or body.get("msg")) if failed else ""
