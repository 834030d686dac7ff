"""A market whose time only moves when a test says so, and a real server for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from simulator.clock import Clock
from simulator.faults import Faults, parse
from simulator.market.board import Board
from simulator.rest import public as rest
from simulator.streams.connection import StreamSettings
from simulator.streams.public import PublicStreams
from simulator.symbols import CATALOG

# A Thursday, and a whole minute.
START_MS = 1_700_150_400_000
PATIENCE_S = 10.0


class StoppedClock(Clock):
    """Stands at `at_ms` until it is moved."""

    def __init__(self, at_ms: int) -> None:
        super().__init__(lambda: self.at_ms * 1_000_000)
        self.at_ms = at_ms


def board_at(at_ms: int = START_MS) -> tuple[Board, StoppedClock]:
    """A fresh board on a stopped clock."""
    clock = StoppedClock(at_ms)
    return Board(clock, CATALOG), clock


@dataclass
class Server:
    """A running market server and a client session for it."""

    board: Board
    clock: Clock
    faults: Faults
    streams: PublicStreams
    http: aiohttp.ClientSession
    address: str
    sockets: list[aiohttp.ClientWebSocketResponse] = field(default_factory=list)

    async def get(self, path: str, **params: str) -> tuple[int, Any]:
        """Status and JSON of one endpoint below `/api/v3/`."""
        async with self.http.get(f"{self.address}/api/v3/{path}", params=params) as response:
            return response.status, await response.json()

    async def connect(self, path: str, *, autoping: bool = True) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket on a path such as `/ws/btcusdt@trade`, known to the server."""
        before = len(self.streams.hub.connections)
        socket = await self.http.ws_connect(self.address + path, autoping=autoping)
        self.sockets.append(socket)
        await until(lambda: len(self.streams.hub.connections) > before)
        return socket

    def arm(self, kind: str, **options: Any) -> None:
        """Arm a fault as the control API would."""
        self.faults.arm(parse({"kind": kind, **options}))


@asynccontextmanager
async def serving(
    board: Board | None = None, settings: StreamSettings | None = None
) -> AsyncIterator[Server]:
    """A server on a free port; without a board it shows a flat market on the real clock."""
    board = board or Board(Clock(), CATALOG)
    faults = Faults()
    streams = PublicStreams(board, board.clock, faults, settings or StreamSettings())
    app = web.Application()
    app.add_routes([*rest.routes(board, CATALOG, board.clock), *streams.routes()])
    app.on_shutdown.append(streams.close)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as http:
        server = Server(board, board.clock, faults, streams, http, f"http://{host}:{port}")
        try:
            yield server
        finally:
            for socket in server.sockets:
                await socket.close()
            await runner.cleanup()


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The next message as JSON, within reason."""
    return json.loads(await socket.receive_str(timeout=PATIENCE_S))


async def ask(socket: aiohttp.ClientWebSocketResponse, method: str, *params: Any, id: Any = 1) -> Any:
    """Send a request and return its answer; events on the way are skipped."""
    request = {"method": method, "id": id, **({"params": list(params)} if params else {})}
    await socket.send_json(request)
    while True:
        message = await receive(socket)
        if "result" in message or "error" in message:
            return message


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task brings about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)
