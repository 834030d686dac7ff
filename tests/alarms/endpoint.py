"""A local channel: what apprise posts to `json://127.0.0.1:port/` is kept, refused, or never answered."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One message, and when it came."""

    at: datetime
    title: str
    body: str
    type: str

    @property
    def text(self) -> str:
        return f"{self.title}\n{self.body}"

    @property
    def titles(self) -> list[str]:
        """Of the alarms in it."""
        listed = [line[2:].partition(". ")[0] for line in self.body.splitlines() if line.startswith("- ")]
        return listed or [self.title.removeprefix("Robson: ")]


class Endpoint:
    """Keeps what it is told, and answers with `status`."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self.pings: list[float] = []
        self.status = 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def saying(self, *words: str) -> list[Received]:
        """The messages with all of these words in them."""
        return [one for one in list(self.messages) if all(word in one.text for word in words)]

    def told(self) -> Counter[str]:
        """How often each alarm has been told, by its title: alone, or in a message that lists several."""
        return Counter(title for one in list(self.messages) for title in one.titles)

    def wait_for(self, *words: str, within_s: float = 10.0) -> Received:
        """The first message with these words. Raises AssertionError when none comes in time."""
        wait_until(lambda: bool(self.saying(*words)), within_s, lambda: f"{words} not in {self.messages}")
        return self.saying(*words)[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if endpoint.status == 200:
                    endpoint.messages.append(
                        Received(datetime.now(UTC), told["title"], told["message"], told["type"])
                    )
                self._answer()

            def do_GET(self) -> None:
                endpoint.pings.append(time.monotonic())
                self._answer()

            def _answer(self) -> None:
                self.send_response(endpoint.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        return Handler


def wait_until(true: Callable[[], bool], within_s: float, why: Callable[[], str] = lambda: "") -> None:
    """Raises AssertionError when it does not become true in time."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


@contextmanager
def hanging() -> Iterator[str]:
    """The address of a channel that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"json://127.0.0.1:{server.getsockname()[1]}/"
