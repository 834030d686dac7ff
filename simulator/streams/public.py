"""The public WebSocket streams: `/ws`, `/ws/<a>/<b>` and `/stream?streams=<a>/<b>`."""

import asyncio
from collections import deque
from contextlib import suppress

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from simulator.clock import Clock
from simulator.faults import Faults
from simulator.market.board import Board
from simulator.market.trades import TradePrint
from simulator.streams import payloads, requests, wire
from simulator.streams.connection import Connection, StreamSettings
from simulator.streams.hub import Hub
from simulator.streams.names import ON_TRADE, is_well_formed
from simulator.streams.requests import MAX_STREAMS, RefusedError, Request
from simulator.streams.timed import TICK_MS, TimedStreams

_MAX_MESSAGE = 64 * 1024
_CLOSE_TIMEOUT = 1.0


def routes(
    board: Board, clock: Clock, faults: Faults, settings: StreamSettings | None = None
) -> list[web.RouteDef]:
    """The routes of the market streams, publishing every print of `board` from now on."""
    return PublicStreams(board, clock, faults, settings or StreamSettings()).routes()


class PublicStreams:
    """The market streams of one board. They need no start: the clock ticks while anybody is connected.

    `close` belongs into the application's `on_shutdown`.
    """

    def __init__(self, board: Board, clock: Clock, faults: Faults, settings: StreamSettings) -> None:
        self.hub = Hub(faults)
        self.timed = TimedStreams(board, self.hub)
        self._board = board
        self._clock = clock
        self._settings = settings
        self._sockets: set[web.WebSocketResponse] = set()
        self._attempts: dict[str, deque[float]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._names = {
            symbol: tuple(f"{symbol.lower()}@{kind}" for kind in ON_TRADE) for symbol in board.catalog
        }
        board.listeners.append(self.on_trade)

    def routes(self) -> list[web.RouteDef]:
        """Where clients connect."""
        return [
            web.get("/ws", self._serve_raw),
            web.get("/ws/{streams:.*}", self._serve_raw),
            web.get("/stream", self._serve_combined),
        ]

    def on_trade(self, trade: TradePrint) -> None:
        """Publish one print on the streams that trades drive."""
        subscribers = self.hub.subscribers
        if not subscribers:
            return
        on_trade, on_aggregate, on_quote = self._names[trade.symbol]
        now_ms = self._clock.now_ms()
        if on_trade in subscribers:
            self.hub.publish(on_trade, payloads.trade(trade, now_ms))
        if on_aggregate in subscribers:
            self.hub.publish(on_aggregate, payloads.agg_trade(trade, now_ms))
        if on_quote in subscribers:
            self.hub.publish(on_quote, payloads.book_ticker(self._board.book(trade.symbol, 1)))

    async def close(self, _app: web.Application | None = None) -> None:
        """Announce the end and close every connection."""
        for connection in list(self.hub.connections):
            self._announce_shutdown(connection)
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        if self._ticker is not None:
            self._ticker.cancel()

    async def _serve_raw(self, request: web.Request) -> web.WebSocketResponse:
        return await self._serve(request, request.match_info.get("streams", ""), combined=False)

    async def _serve_combined(self, request: web.Request) -> web.WebSocketResponse:
        return await self._serve(request, request.query.get("streams", ""), combined=True)

    async def _serve(self, request: web.Request, listed: str, *, combined: bool) -> web.WebSocketResponse:
        if self._too_many_connections(request.remote or ""):
            raise web.HTTPTooManyRequests(text="Too many connections")
        names = [name for name in listed.split("/") if name]
        if len(names) > MAX_STREAMS or not all(is_well_formed(name) for name in names):
            raise web.HTTPBadRequest(text="Invalid request: invalid stream")
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=_MAX_MESSAGE, timeout=_CLOSE_TIMEOUT
        )
        await socket.prepare(request)
        if request.transport is None:
            return socket
        now = asyncio.get_running_loop().time()
        connection = Connection(request.transport, combined, self._settings.max_waiting, last_pong=now)
        self.hub.join(connection)
        self.hub.subscribe(connection, names)
        self._sockets.add(socket)
        self._keep_ticking()
        keeper = asyncio.create_task(self._keep(connection, socket))
        try:
            await self._listen(connection, socket)
        finally:
            keeper.cancel()
            self.hub.leave(connection)
            self._sockets.discard(socket)
        return socket

    def _too_many_connections(self, address: str) -> bool:
        """Count one attempt: is it over what the exchange allows one address?"""
        now = asyncio.get_running_loop().time()
        recent = self._attempts.setdefault(address, deque())
        while recent and now - recent[0] > self._settings.connections_window:
            recent.popleft()
        recent.append(now)
        return len(recent) > self._settings.connections

    async def _listen(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        async for message in socket:
            if connection.is_flooding(loop.time()):
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")
            elif message.type is WSMsgType.PING:
                connection.send(wire.pong_frame(message.data))
            elif message.type is WSMsgType.PONG:
                connection.pong(bytes(message.data), loop.time())
            elif not self._answered(connection, message):
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Invalid request")

    def _answered(self, connection: Connection, message: WSMessage) -> bool:
        """Answer one message. False ends the connection."""
        try:
            if message.type is not WSMsgType.TEXT:
                raise RefusedError(3, "Invalid JSON: expected value at line 1 column 1")
            request = requests.parse(message.data)
            result = self._obey(connection, request)
        except RefusedError as refused:
            connection.send_text(payloads.encode(refused.body()))
            return not refused.fatal
        connection.send_text(payloads.encode({"result": result, "id": request.id}))
        return True

    def _obey(self, connection: Connection, request: Request) -> list[str] | bool | None:
        match request.method:
            case "SUBSCRIBE":
                if len(connection.streams.keys() | set(request.names)) > MAX_STREAMS:
                    raise RefusedError(2, "Invalid request: too many streams", id=request.id, fatal=True)
                self.hub.subscribe(connection, request.names)
            case "UNSUBSCRIBE":
                self.hub.unsubscribe(connection, request.names)
            case "LIST_SUBSCRIPTIONS":
                return list(connection.streams)
            case "GET_PROPERTY":
                return connection.combined
            case _:
                connection.combined = bool(request.combined)
        return None

    async def _keep(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        """Ping, give up a client that does not answer, and end the connection when its time has come."""
        loop, settings = asyncio.get_running_loop(), self._settings
        ends = loop.time() + settings.lifetime
        while (left := ends - settings.shutdown_notice - loop.time()) > 0:
            await asyncio.sleep(min(settings.ping_interval, left))
            if loop.time() - connection.last_pong > settings.pong_timeout:
                connection.drop()
                return
            connection.ping(str(self._clock.now_ms()).encode())
        self._announce_shutdown(connection)
        await asyncio.sleep(max(0.0, ends - loop.time()))
        await socket.close(code=WSCloseCode.GOING_AWAY)

    def _announce_shutdown(self, connection: Connection) -> None:
        payload = payloads.server_shutdown(self._clock.now_ms())
        connection.send_text(wire.wrapped("!serverShutdown", payload) if connection.combined else payload)

    def _keep_ticking(self) -> None:
        if self._settings.self_ticking and (self._ticker is None or self._ticker.done()):
            self._ticker = asyncio.create_task(self._tick_while_heard())

    async def _tick_while_heard(self) -> None:
        with suppress(asyncio.CancelledError):
            while self.hub.connections:
                self.hub.drop_as_armed()
                self.timed.tick()
                # Aligned to the clock, so that a candle is closed the moment it ends.
                await asyncio.sleep((TICK_MS - self._clock.now_ms() % TICK_MS) / 1_000)
