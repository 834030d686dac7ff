"""Locks between processes. The kernel releases them when their holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.05


class LockTimeoutError(RuntimeError):
    """Another process has held a lock for too long."""


@contextmanager
def exclusive(path: Path, *, timeout_s: float = 60.0) -> Iterator[None]:
    """Hold a lock file alone. Raises LockTimeoutError when another keeps it for `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise LockTimeoutError(f"Another process has held {path} for {timeout_s:.0f} seconds.")
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """Lock a file alone and return its descriptor, or None if another process has it. Closing releases."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def join(path: Path) -> int:
    """Become one of the users of something. Returns a descriptor for `leave`."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def leave(descriptor: int) -> bool:
    """Stop being a user. True when nobody else is one."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
