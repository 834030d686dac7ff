"""Who sends a request, and is it fresh? Signatures cover the raw query string followed by the raw body."""

import hashlib
import hmac
import re
from decimal import Decimal

from simulator import errors, params

DEFAULT_WINDOW_MS = Decimal(5_000)
LARGEST_WINDOW_MS = Decimal(60_000)
AHEAD_MS = 1_000
_MICROSECONDS_FROM = 10**15

_SIGNATURE = re.compile(r"(?:^|&)signature=[^&]*")
_WINDOW = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,3})?$", re.ASCII)


def sign(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the payload, in hexadecimal."""
    return hmac.new(secret.encode(), payload.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def signed_payload(query: str, body: str) -> str:
    """The bytes that a signature covers: both raw parts, without the signature itself."""
    return _without_signature(query) + _without_signature(body)


def _without_signature(part: str) -> str:
    stripped = _SIGNATURE.sub("", part)
    return stripped[1:] if stripped.startswith("&") and not part.startswith("&") else stripped


def check_signature(secret: str, given: str, payload: str) -> None:
    """Raise -1022 unless `given` is the payload's signature."""
    expected = sign(secret, payload)
    if not hmac.compare_digest(expected.encode(), given.lower().encode("utf-8", "surrogateescape")):
        raise errors.bad_signature()


def deadline_ms(values: params.Params) -> Decimal:
    """The moment after which a request must not reach the matching engine: timestamp + recvWindow.

    Milliseconds since the epoch. Raises -1102 without a timestamp, -1131 for a window past 60 s.
    """
    return _timestamp_ms(values) + _window_ms(values)


def check_fresh(values: params.Params, now_ms: int) -> None:
    """Raise -1021 when the timestamp is more than 1,000 ms ahead, or older than recvWindow."""
    if _timestamp_ms(values) >= now_ms + AHEAD_MS:
        raise errors.ahead_of_server()
    if now_ms > deadline_ms(values):
        raise errors.outside_window()


def _timestamp_ms(values: params.Params) -> Decimal:
    params.required(values, "timestamp")
    stamp = params.integer(values, "timestamp") or 0
    return Decimal(stamp) / 1_000 if stamp >= _MICROSECONDS_FROM else Decimal(stamp)


def _window_ms(values: params.Params) -> Decimal:
    given = params.text(values, "recvWindow")
    if given is None:
        return DEFAULT_WINDOW_MS
    if not _WINDOW.fullmatch(given):
        raise errors.illegal_characters("recvWindow", params.INTEGER)
    window = Decimal(given)
    if window > LARGEST_WINDOW_MS:
        raise errors.window_too_large()
    return window
