"""A server that answers what it is told to, for what goes wrong between us and the exchange."""

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query or self.body, strict_parsing=True))


Answer = Callable[["_Handler"], None]


@dataclass
class Stub:
    """`answers` are given in order; without one, the request is answered with an empty object."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    connections: int = 0

    def will(self, *answers: Answer) -> None:
        self.answers.extend(answers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def setup(self) -> None:
        self.stub.connections += 1
        super().setup()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        body = self.rfile.read(length).decode()
        self.stub.seen.append(Seen(self.command, parts.path, parts.query, body, dict(self.headers)))
        answer = self.stub.answers.popleft() if self.stub.answers else says({})
        answer(self)

    def __getattr__(self, name: str) -> Any:
        # http.server looks for a method per verb.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def says(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return says_text(json.dumps(value), status, headers)


def says_text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    def answer(handler: _Handler) -> None:
        body = text.encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def resets(handler: _Handler) -> None:
    """The connection is reset after the request was read."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True
    handler.connection.close()


def hangs_up(handler: _Handler) -> None:
    """The connection ends without an answer, as a stale keep-alive connection does."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def breaks_off(handler: _Handler) -> None:
    """The answer ends in its middle."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'ff\r\n{"symbol"')
    handler.close_connection = True


def never_answers(released: threading.Event) -> Answer:
    def answer(handler: _Handler) -> None:
        released.wait(30)
        handler.close_connection = True

    return answer


@contextmanager
def serving() -> Iterator[Stub]:
    stub = Stub()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # broken connections are the point
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
