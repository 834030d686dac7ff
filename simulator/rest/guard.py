"""What happens to a request before and after its endpoint: bans, shared weights, faults armed on purpose."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from aiohttp import web

from simulator import errors, params
from simulator.faults import Fault, Faults
from simulator.rest.gateway import ENVELOPE, Desk, Envelope, envelope, json_answer, refusal
from simulator.weights import HEADERS, api_cost

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HANG_MS = 15_000
ELSEWHERE = ("/sim/", "/ws", "/stream")
_OWN_WEIGHT = "/api/v3/account"
_RESET = struct.pack("ii", 1, 0)


class Guard:
    """The middleware around every REST call. Control calls and WebSockets pass by it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._late: set[asyncio.Task[None]] = set()

    @property
    def _faults(self) -> Faults:
        return self.desk.exchange.faults

    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Run one request."""
        sent = request[ENVELOPE] = await envelope(request)
        match = self._match(request, sent)
        with_fault = self._taker(match)
        if fault := with_fault("latency_ms"):
            await asyncio.sleep(_number(fault, "ms") / 1_000)
        try:
            headers = self._enter(request, sent, match)
        except errors.BinanceError as error:
            return refusal(error)
        if (answer := await self._before(request, with_fault)) is not None:
            return answer
        if fault := with_fault("late_accept"):
            return await self._accept_late(request, handler, fault)
        response = await _run(request, handler)
        response.headers.update(headers)
        return await self._after(request, response, with_fault)

    def _match(self, request: web.Request, sent: Envelope) -> dict[str, str | None]:
        if not self._faults.armed:
            return {}
        match: dict[str, str | None] = {
            "path": request.path,
            "method": request.method,
            "api_key": sent.api_key,
        }
        with contextlib.suppress(errors.BinanceError):
            match["symbol"] = params.read_params(sent.query, sent.body).get("symbol")
        return match

    def _taker(self, match: dict[str, str | None]) -> Callable[..., Fault | None]:
        def take(kind: str, *, after: bool | None = None) -> Fault | None:
            for fault in self._faults.armed:
                timely = after is None or bool(fault.options.get("after")) == after
                if fault.kind == kind and timely and fault.agrees(match):
                    self._faults.strike(fault)
                    return fault
            return None

        return take

    def _enter(self, request: web.Request, sent: Envelope, match: dict[str, str | None]) -> dict[str, str]:
        now_ms, weights = self.desk.exchange.clock.now_ms(), self.desk.weights
        weights.check_ban(sent.ip, now_ms)
        self._check_armed_ban(match, now_ms)
        if not request.path.startswith("/api/") or request.path == _OWN_WEIGHT:
            return {}
        cost = api_cost(request.path, dict(request.query))
        return {HEADERS["API"]: str(weights.charge(cost, sent.ip, sent.ip, now_ms))}

    def _check_armed_ban(self, match: dict[str, str | None], now_ms: int) -> None:
        fault = self._faults.active("ban", **match)
        if fault is None:
            return
        left_ms = (
            int(_number(fault, "seconds", 60) * 1_000) - (time.monotonic_ns() - fault.armed_ns) // 1_000_000
        )
        if left_ms <= 0:
            self._faults.remove(fault)
            return
        raise errors.banned(now_ms + left_ms, retry_after=left_ms // 1_000 + 1)

    async def _before(
        self, request: web.Request, take: Callable[..., Fault | None]
    ) -> web.StreamResponse | None:
        if fault := take("timeout_before_accept"):
            return await hang(request, fault)
        if take("reset_connection", after=False):
            return reset(request)
        for kind in ("http_status", "error_code"):
            if fault := take(kind, after=False):
                return _failure(fault)
        return None

    async def _after(
        self, request: web.Request, response: web.StreamResponse, take: Callable[..., Fault | None]
    ) -> web.StreamResponse:
        if fault := take("timeout_after_accept"):
            return await hang(request, fault)
        if take("reset_connection", after=True):
            return await reset_mid_answer(request, response)
        for kind in ("http_status", "error_code"):
            if fault := take(kind, after=True):
                return _failure(fault)
        return response

    async def _accept_late(self, request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        """Never answer; let the request reach the engine later, where its freshness is judged anew."""

        async def accept() -> None:
            await asyncio.sleep(_number(fault, "delay_ms", 1_000) / 1_000)
            await _run(request, handler)

        task = asyncio.create_task(accept())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return await hang(request, fault)


async def _run(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, text="", content_type="text/html")


def middleware(desk: Desk) -> Any:
    """The aiohttp middleware of a desk."""
    guard = Guard(desk)

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(ELSEWHERE):
            return await handler(request)
        return await guard.around(request, handler)

    return guarded


async def hang(request: web.Request, fault: Fault) -> web.StreamResponse:
    """Say nothing until the client gives up or the time is over, then drop the connection."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _number(fault, "hang_ms", HANG_MS) / 1_000
    while loop.time() < end and request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(min(0.05, max(0.0, end - loop.time())))
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def reset(request: web.Request) -> web.StreamResponse:
    """End the connection with a TCP reset."""
    if request.transport is not None:
        plug: socket.socket | None = request.transport.get_extra_info("socket")
        if plug is not None:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        request.transport.abort()
    return web.Response(status=500)


async def reset_mid_answer(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send half of the answer, then reset the connection."""
    body = response.body if isinstance(response, web.Response) else b""
    whole = body if isinstance(body, bytes) else b""
    half = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    half.content_length = len(whole)
    await half.prepare(request)
    await half.write(whole[: len(whole) // 2])
    reset(request)
    return half


def _failure(fault: Fault) -> web.StreamResponse:
    if fault.kind == "error_code":
        status = int(_number(fault, "status", 400))
        error = errors.BinanceError(int(_number(fault, "code", -1000)), _message(fault), status)
        return refusal(error)
    status = int(_number(fault, "status", 503))
    headers = {"Retry-After": str(fault.options["retry_after"])} if "retry_after" in fault.options else {}
    if "body" in fault.options:
        return json_answer(fault.options["body"], status=status, headers=headers)
    text = f"<html><body><h1>{status}</h1></body></html>"
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _message(fault: Fault) -> str:
    return str(fault.options.get("msg", errors.unknown_error().msg))


def _number(fault: Fault, name: str, default: float = 0) -> float:
    return float(Decimal(str(fault.options.get(name, default))))
