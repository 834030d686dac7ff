"""Free ports on loopback."""

import contextlib
import socket


def free_port(wanted: int) -> int:
    """`wanted` if it can be bound on 127.0.0.1 now, else another that can. Raises OSError if none can."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As servers do it: a port whose last connections are just dying away is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found: int = probe.getsockname()[1]
            return found
    raise OSError("There is no free port on 127.0.0.1.")
