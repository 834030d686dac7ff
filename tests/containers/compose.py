"""docker-compose.yml, read as Compose reads it."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import yaml

from robson.local import paths

OWN = ("web", "consumer", "worker-exits", "worker-safetynet", "worker-default", "beat", "alarms", "flower")
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<text>[^}]*))?\}")


@functools.cache
def compose() -> dict[str, Any]:
    """The whole file, anchors and merges resolved, variables not."""
    text = (paths.PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def resolved(text: str, values: Mapping[str, str]) -> str:
    """Variables replaced by Compose's rules. Raises KeyError for one that is required and missing."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = values.get(found["name"])
        if given or found["kind"] is None:
            return given or ""
        if found["kind"] == "?":
            raise KeyError(found["name"])
        return found["text"]

    return _VARIABLE.sub(value, text)


def seconds(duration: str) -> int:
    """Compose's durations, of which the file uses whole seconds."""
    number, unit = duration[:-1], duration[-1]
    assert unit == "s", duration
    return int(number)
