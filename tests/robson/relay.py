"""A way to a server that can stop carrying anything, as when the server or the network hangs."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from django.db import connection

Target = tuple[str, int]


@dataclass
class Relay:
    """Carries bytes both ways for as long as it is not `frozen`. Connections are accepted all the same."""

    port: int
    frozen: threading.Event = field(default_factory=threading.Event)


@contextmanager
def relay_to_the_database() -> Iterator[Relay]:
    """Django's connection goes through it in the block, and is made anew before and after."""
    settings, known = connection.settings_dict, connection.get_connection_params()
    before = {name: settings[name] for name in ("HOST", "PORT")}
    with _relay((str(known["host"]), int(known.get("port", 5432)))) as relay:
        connection.close()
        settings.update(HOST="127.0.0.1", PORT=str(relay.port))
        try:
            yield relay
        finally:
            connection.close()
            settings.update(before)


@contextmanager
def _relay(target: Target) -> Iterator[Relay]:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as opened:
        relay, stop = Relay(server.getsockname()[1]), threading.Event()
        thread = threading.Thread(target=_carry, args=(server, target, relay, stop, opened))
        thread.start()
        try:
            yield relay
        finally:
            stop.set()
            thread.join(5)


def _carry(
    server: socket.socket, target: Target, relay: Relay, stop: threading.Event, opened: ExitStack
) -> None:
    other: dict[socket.socket, socket.socket] = {}
    while not stop.is_set():
        for ready in select.select([server, *({} if relay.frozen.is_set() else other)], [], [], 0.02)[0]:
            if ready is server:
                near, far = opened.enter_context(server.accept()[0]), opened.enter_context(_far(target))
                other |= {near: far, far: near}
            elif data := ready.recv(65_536):
                other[ready].sendall(data)
            else:
                other.pop(other.pop(ready)).close()


def _far(target: Target) -> socket.socket:
    host, port = target
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=5)
    far = socket.socket(socket.AF_UNIX)
    far.connect(f"{host}/.s.PGSQL.{port}")
    return far
