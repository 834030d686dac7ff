"""Child processes: those that must not outlive us, and servers that may."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from robson.local import paths
from robson.local.accounts import Identity

_PR_SET_PDEATHSIG = 1
# Kept, since Python warns about a running child that nobody refers to any more.
_servers: list[subprocess.Popen[bytes]] = []
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(command: Sequence[str], *, log: BinaryIO, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output going to `log`.

    On Linux the kernel terminates the child when the thread that called this ends, even by SIGKILL: call it
    from a thread that lasts. Raises OSError when the program cannot be started.
    """
    parent = os.getpid()
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=paths.PROJECT_DIR,
        env=dict(env),
        start_new_session=True,
        preexec_fn=lambda: _tie_to(parent),  # noqa: PLW1509 (one system call, prepared before the fork)
    )


def spawn_server(
    command: Sequence[str], *, log: BinaryIO, env: Mapping[str, str], who: Identity | None = None
) -> subprocess.Popen[bytes]:
    """Start a server that outlives us as long as others use it. Ctrl-C in our terminal does not reach it."""
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env=dict(env),
        start_new_session=True,
        **(who or {}),
    )
    _servers.append(server)
    return server


def reap_servers() -> None:
    """Collect the exit codes of servers that have been stopped."""
    _servers[:] = [server for server in _servers if server.poll() is None]


def terminate(child: subprocess.Popen[bytes]) -> None:
    """Ask a child to end, without waiting for it."""
    if child.poll() is None:
        child.terminate()


def stop(child: subprocess.Popen[bytes], *, grace_s: float = 10.0) -> bool:
    """Ask a child to end, and force its whole group after `grace_s` seconds. True if it went by itself."""
    terminate(child)
    return see_off(child, grace_s=grace_s)


def see_off(child: subprocess.Popen[bytes], *, grace_s: float) -> bool:
    """Wait for a child that has been asked to end, and force it as `stop` does."""
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        kill(child)
        return False
    _kill_group(child)
    return True


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a child and everything that it started, now."""
    _kill_group(child)
    child.wait()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    # The group may have outlived its leader, or be gone.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _tie_to(parent: int) -> None:
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
