"""Where alarms go: a small port, and apprise behind it. Addresses hold secrets and are never shown whole."""

import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import requests

from robson.alarms.kinds import Severity
from robson.alarms.messages import Message

if TYPE_CHECKING:
    from apprise import NotifyBase

PING_TIMEOUT_S = (3.0, 5.0)
_SHORTEST_SECRET = 4


class SendError(Exception):
    """The message did not go through, as far as is known. The text holds no secret."""


class Channel(Protocol):
    """One way to the owner. `name` is short and stays the same; `shown` is for people, without secrets."""

    @property
    def name(self) -> str: ...

    @property
    def shown(self) -> str: ...

    @property
    def least(self) -> Severity: ...

    def send(self, message: Message) -> None:
        """Hand it over. May take as long as it likes. Raises SendError."""


@dataclass(frozen=True)
class AppriseChannel:
    """Any service that apprise speaks to."""

    address: str
    service: "NotifyBase"
    least: Severity = Severity.INFO

    @property
    def name(self) -> str:
        return hashlib.sha256(self.address.encode()).hexdigest()[:12]

    @property
    def shown(self) -> str:
        shown: str = self.service.url(privacy=True)  # type: ignore[no-untyped-call]
        return shown.partition("?")[0]

    def send(self, message: Message) -> None:
        with _heard() as said:
            try:
                went = self.service.notify(body=message.body, title=message.title, notify_type=_type(message))
            except Exception as error:  # noqa: BLE001  # one of a hundred plugins; it has failed
                raise SendError(without_secrets(f"{type(error).__name__}: {error}", self.address)) from None
        if not went:
            raise SendError(without_secrets("; ".join(said) or "it was not accepted", self.address))


@dataclass(frozen=True)
class Ping:
    """The dead-man's switch: an address that is asked for while all is well, and misses us when it is not."""

    address: str
    name: str = "heartbeat"
    least: Severity = Severity.CRITICAL

    @property
    def shown(self) -> str:
        return re.sub(r"^(\w+://)(?:[^/@]*@)?([^/?#]+).*$", r"\1\2/...", self.address)

    def send(self, _message: Message) -> None:
        try:
            answer = requests.get(self.address, timeout=PING_TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as error:
            raise SendError(f"{self.shown}: {type(error).__name__}") from None
        if not answer.ok:
            raise SendError(f"{self.shown}: HTTP {answer.status_code}")


def apprise_channel(address: str, least: Severity) -> AppriseChannel | None:
    """The channel of an apprise address; None for one that apprise does not understand."""
    # Late: only who sends pays for loading it.
    import apprise

    _quiet()
    service = apprise.Apprise.instantiate(address)
    return None if service is None else AppriseChannel(address, service, least)


def without_secrets(text: str, address: str) -> str:
    """The text without anything that the address consists of, but for its scheme: apprise has no rule where
    the secret is."""
    parts = re.split(r"[/?#&=@:,\s]+", address.partition("://")[2])
    for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, "...")
    return text[:250]


def _type(message: Message) -> str:
    if message.good:
        return "info" if message.severity is Severity.INFO else "success"
    return "failure" if message.severity is Severity.CRITICAL else "warning"


class _Heard(logging.Handler):
    """What apprise says in this thread, which is why a message did not go through."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.lines.append(record.getMessage())


def _quiet() -> logging.Logger:
    """Apprise's own lines may hold parts of addresses: nobody else hears them."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


@contextmanager
def _heard() -> Iterator[list[str]]:
    logger, ear = _quiet(), _Heard()
    logger.addHandler(ear)
    try:
        yield ear.lines
    finally:
        logger.removeHandler(ear)
