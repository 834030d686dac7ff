"""A way to a server that a test can cut and mend, or let hang, without touching the server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from django.db import connection

Address = str | tuple[str, int]


class Relay:
    """Carries what arrives at a port of its own to `target`: a path of a socket, or (host, port)."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._open: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._listen(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    def cut(self) -> None:
        """Whoever is connected is thrown out, and nobody else comes in."""
        for one in (self._listener, *self._open):
            _hang_up(one)
        self._open.clear()
        self._flows.set()

    def freeze(self) -> None:
        """Connections stay, and are accepted, but nothing arrives any more: as when the network hangs."""
        self._flows.clear()

    def mend(self) -> None:
        """As before, at the same port."""
        self._listen(self.port)

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            there = self._connect()
            self._open += [here, there]
            for ends in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                sink.sendall(data)
        _hang_up(source)
        _hang_up(sink)

    def _connect(self) -> socket.socket:
        there = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
        there.connect(self._target)
        return there


@contextmanager
def to_the_database() -> Iterator[Relay]:
    """Django's connection goes through it in the block, and is made anew before and after."""
    settings, known = connection.settings_dict, connection.get_connection_params()
    before = {name: settings[name] for name in ("HOST", "PORT")}
    host, port = str(known["host"]), int(known.get("port", 5432))
    with Relay(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)) as relay:
        connection.close()
        settings.update(HOST="127.0.0.1", PORT=str(relay.port))
        try:
            yield relay
        finally:
            connection.close()
            settings.update(before)


def _hang_up(one: socket.socket) -> None:
    """Closing alone would not end what another thread is just reading from it."""
    # The other side may have been quicker.
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
