"""What the environment says about alarms. A bad value stops the alarms, and no process that trades."""

import re
from dataclasses import dataclass
from datetime import time
from urllib.parse import urlsplit

from django.conf import settings

from robson.alarms.channels import AppriseChannel, Ping, apprise_channel
from robson.alarms.kinds import Severity

URLS, DIGEST_AT, HEARTBEAT_URL = "ROBSON_ALARM_URLS", "ROBSON_ALARM_DIGEST_AT", "ROBSON_HEARTBEAT_URL"
_LEAST = re.compile(r"(?:(?P<least>[a-z]+)=)?(?P<address>[A-Za-z0-9]+://.*)", re.DOTALL)
_OFF = {"", "off"}


class BadConfig(ValueError):
    """One sentence that names the variable; no secret in it."""


@dataclass(frozen=True, slots=True)
class Config:
    """`digest_at` is a time of day in UTC, None for no digest; `ping` None for no dead-man's switch."""

    channels: tuple[AppriseChannel, ...] = ()
    digest_at: time | None = None
    ping: Ping | None = None


def read() -> Config:
    """What is configured. Raises BadConfig."""
    return Config(
        channels=_channels(settings.ALARM_URLS),
        digest_at=_time_of_day(settings.ALARM_DIGEST_AT),
        ping=_ping(settings.HEARTBEAT_URL),
    )


def _channels(text: str) -> tuple[AppriseChannel, ...]:
    """Addresses are separated by white space: commas are part of some."""
    channels = [_channel(word, number) for number, word in enumerate(text.split(), 1)]
    if len({channel.name for channel in channels}) < len(channels):
        raise BadConfig(f"{URLS} names an address twice.")
    return tuple(channels)


def _channel(word: str, number: int) -> AppriseChannel:
    found = _LEAST.fullmatch(word)
    if found is None:
        raise BadConfig(
            f"{URLS}: address {number} must look like mailto://... or critical=tgram://..., one for each "
            "channel, separated by spaces or new lines."
        )
    least, levels = found["least"] or Severity.INFO, ", ".join(Severity)
    if least not in list(Severity):
        raise BadConfig(f"{URLS}: before address {number} stands {least!r}, which is none of {levels}.")
    channel = apprise_channel(found["address"], Severity(least))
    if channel is None:
        scheme = found["address"].partition(":")[0]
        raise BadConfig(
            f"{URLS}: apprise does not understand address {number} ({scheme}://...); its wiki lists each "
            "service with the form of its address."
        )
    return channel


def _time_of_day(text: str) -> time | None:
    if text.lower() in _OFF:
        return None
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise BadConfig(
            f"{DIGEST_AT} must be a time of day in UTC such as 06:00, or off; not {text!r}."
        ) from None


def _ping(text: str) -> Ping | None:
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadConfig(f"{HEARTBEAT_URL} must look like https://host/...")
    return Ping(text)
