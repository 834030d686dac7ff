"""A way to a server that a test can cut and mend, without touching the server."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

Address = str | tuple[str, int]


class Relay:
    """Carries what arrives at a port of its own to `target`: a path of a socket, or (host, port)."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._open: list[socket.socket] = []
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
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=_carry, args=(source, sink), daemon=True).start()

    def _connect(self) -> socket.socket:
        there = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
        there.connect(self._target)
        return there


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    _hang_up(source)
    _hang_up(sink)


def _hang_up(one: socket.socket) -> None:
    """Closing alone would not end what another thread is just reading from it."""
    # The other side may have been quicker.
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
