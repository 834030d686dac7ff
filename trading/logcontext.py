"""Which process this is, and what it is working on, for its log lines. Without Django."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

IDS = ("account", "symbol", "position_id", "guard_id", "intent_id", "attempt")

# The command of Celery stands somewhere among its arguments.
_OF_CELERY = ("beat", "flower")

_known: ContextVar[Mapping[str, object]] = ContextVar("known", default=MappingProxyType({}))


class Subject(Protocol):
    """What log lines can be about."""

    def log_ids(self) -> dict[str, object]:
        """Those of `IDS` that are known of it, from memory alone."""


@contextmanager
def about(subject: Subject | None = None, **ids: object) -> Iterator[None]:
    """Log lines in here name the subject's ids and these, beside those that the caller has named."""
    named = {**_known.get(), **(subject.log_ids() if subject else {}), **ids}
    token = _known.set(named)
    try:
        yield
    finally:
        _known.reset(token)


def known() -> Mapping[str, object]:
    """The ids that hold here. Those that are None are not known."""
    return _known.get()


def process_name() -> str:
    """ROBSON_PROCESS, or what the command line says: `runconsumer`, `beat`."""
    words = [*sys.argv[1:], Path(sys.argv[0]).name]
    told = next((word for word in words if word in _OF_CELERY), words[0])
    return os.environ.get("ROBSON_PROCESS") or told
