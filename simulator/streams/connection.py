"""One client of the market streams: what it subscribed to, and how much may wait for it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from simulator.streams import wire

INBOUND_PER_SECOND = 5
PINGS_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Times in seconds, sizes in bytes. Defaults are the exchange's own.

    Without `self_ticking` somebody else calls `PublicStreams.timed.tick`, as tests that own the clock do.
    """

    ping_interval: float = 20.0
    pong_timeout: float = 60.0
    lifetime: float = 24 * 3_600.0
    shutdown_notice: float = 10.0
    max_waiting: int = 8 * 1024 * 1024
    connections: int = 300
    connections_window: float = 300.0
    self_ticking: bool = True


@dataclass(slots=True, eq=False)
class Connection:
    """Frames go straight to the transport, so that no client ever waits for another.

    A client that reads too slowly lets its own buffer grow, and loses the connection at `max_waiting` bytes.
    """

    transport: asyncio.Transport
    combined: bool
    max_waiting: int
    last_pong: float
    streams: dict[str, None] = field(default_factory=dict)
    _pings: deque[bytes] = field(default_factory=lambda: deque(maxlen=PINGS_REMEMBERED))
    _inbound: deque[float] = field(default_factory=lambda: deque(maxlen=INBOUND_PER_SECOND))

    def send(self, frame: bytes) -> None:
        """Hand over one complete frame, or give the client up."""
        if self.transport.is_closing():
            return
        self.transport.write(frame)
        if self.transport.get_write_buffer_size() > self.max_waiting:
            self.transport.abort()

    def send_text(self, payload: bytes) -> None:
        """Send one message to this client alone."""
        self.send(wire.text_frame(payload))

    def ping(self, payload: bytes) -> None:
        """Ask for a pong with this payload."""
        self._pings.append(payload)
        self.send(wire.ping_frame(payload))

    def pong(self, payload: bytes, now: float) -> None:
        """Note a pong at `now` (seconds, monotonic). Only an answer to a recent ping keeps a client alive."""
        if payload in self._pings:
            self.last_pong = now

    def drop(self) -> None:
        """End the connection without a word, as a broken network does."""
        self.transport.abort()

    def is_flooding(self, now: float) -> bool:
        """Count one inbound message at `now` (seconds, monotonic): is it one too many within a second?"""
        full = len(self._inbound) == INBOUND_PER_SECOND
        flooding = full and now - self._inbound[0] < 1.0
        self._inbound.append(now)
        return flooding
