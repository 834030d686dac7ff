"""Who listens to which stream, and the way of one event to all of them, faults included."""

from itertools import cycle

from simulator.faults import Fault, Faults
from simulator.streams.connection import Connection
from simulator.streams.names import symbol_of
from simulator.streams.wire import text_frame, wrapped

# Cut off, no JSON at all, JSON of another shape, impossible values.
GARBAGE = (
    b'{"e":"trade","s":"BTCUSDT","p":"6',
    b"upstream connect error or disconnect/reset before headers",
    b"[]",
    b"null",
    b'{"e":"trade","E":null,"s":"BTCUSDT","t":"x","p":"NaN","q":"-1","T":0,"m":2,"M":true}',
    b'{"stream":"btcusdt@trade","data":null}',
    b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"","q":"1","T":"later"}}',
)


class Hub:
    """The subscriptions of all connections. Frames are encoded once per event, not once per client."""

    def __init__(self, faults: Faults) -> None:
        self.connections: set[Connection] = set()
        self.subscribers: dict[str, set[Connection]] = {}
        self._faults = faults
        self._garbage = cycle(GARBAGE)
        self._held: dict[str, bytes] = {}
        faults.listeners.append(self.drop_as_armed)

    def join(self, connection: Connection) -> None:
        """Count a new connection in."""
        self.connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a connection and its subscriptions."""
        self.unsubscribe(connection, list(connection.streams))
        self.connections.discard(connection)

    def subscribe(self, connection: Connection, names: tuple[str, ...] | list[str]) -> None:
        """Add streams; one already there stays as it is."""
        for name in names:
            connection.streams[name] = None
            self.subscribers.setdefault(name, set()).add(connection)

    def unsubscribe(self, connection: Connection, names: tuple[str, ...] | list[str]) -> None:
        """Remove streams; one that is not there is ignored."""
        for name in names:
            connection.streams.pop(name, None)
            listening = self.subscribers.get(name, set())
            listening.discard(connection)
            if not listening:
                self.subscribers.pop(name, None)
                self._held.pop(name, None)

    def publish(self, name: str, payload: bytes) -> None:
        """Send an event to everybody who listens, unless a fault says otherwise."""
        if self._faults.armed or self._held:
            for altered in self._with_faults(name, payload):
                self._deliver(name, altered)
        else:
            self._deliver(name, payload)

    def drop_as_armed(self) -> None:
        """End every connection that an armed `drop_stream` names. One sweep is one strike of the fault."""
        struck: dict[Fault, dict[str, str | None]] = {}
        for connection in list(self.connections):
            for match in _matches(connection):
                fault = self._faults.active("drop_stream", **match)
                if fault is not None:
                    struck.setdefault(fault, match)
                    connection.drop()
                    self.leave(connection)
                    break
        for match in struck.values():
            self._faults.take("drop_stream", **match)

    def _with_faults(self, name: str, payload: bytes) -> list[bytes]:
        match = {"stream": name, "symbol": symbol_of(name)}
        if self._faults.take("mute_stream", **match):
            return []
        payloads = [payload]
        held = self._held.pop(name, None)
        if held is not None:
            payloads = [payload, held]
        elif self._faults.take("out_of_order", **match):
            self._held[name] = payload
            return []
        if self._faults.take("malformed_frames", **match):
            payloads.insert(0, next(self._garbage))
        return payloads

    def _deliver(self, name: str, payload: bytes) -> None:
        plain = in_wrapper = b""
        for connection in self.subscribers.get(name, ()):
            if connection.combined:
                in_wrapper = in_wrapper or text_frame(wrapped(name, payload))
                connection.send(in_wrapper)
            else:
                plain = plain or text_frame(payload)
                connection.send(plain)


def _matches(connection: Connection) -> list[dict[str, str | None]]:
    """What a fault may name about a connection; one without streams answers only to a fault without names."""
    return [{"stream": name, "symbol": symbol_of(name)} for name in connection.streams] or [{}]
