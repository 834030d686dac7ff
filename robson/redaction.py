"""The last line of defence: no secret of this process leaves it in a log line, whoever wrote it.

Robson's own code logs none, and the settings keep the libraries that would (at DEBUG) at INFO.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

HIDDEN = "[secret]"
# Shorter ones would tear holes into harmless words.
_SHORTEST = 8
_SECRETS = {"SECRET", "KEY", "PASSWORD", "TOKEN", "AUTH"}
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*:)([^/\s@]+)@")
_NAMED = re.compile(r"\b(signature|listenToken|X-MBX-APIKEY)(\W{1,4})([\w.%+/=-]{8,})")


def hiding(environment: Mapping[str, str]) -> Callable[[str], str]:
    """What takes out of a text: the secrets of this environment, passwords in URLs, signatures, tokens."""
    known = sorted(set(_secrets(environment)), key=len, reverse=True)
    values = re.compile("|".join(map(re.escape, known))) if known else None

    def hide(text: str) -> str:
        text = _PASSWORD_IN_URL.sub(rf"\1{HIDDEN}@", text)
        text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
        return values.sub(HIDDEN, text) if values else text

    return hide


def _secrets(environment: Mapping[str, str]) -> Iterable[str]:
    found: list[str] = []
    for name, value in environment.items():
        if _SECRETS & set(name.split("_")):
            # `user:password`, too, is told apart by whoever logs it.
            found += [value, value.partition(":")[2]]
        found += [part for url in _PASSWORD_IN_URL.finditer(value) for part in (url[2], unquote(url[2]))]
    return (secret for secret in found if len(secret) >= _SHORTEST)
