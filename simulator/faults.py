"""Faults armed on purpose. Everything that can fail asks here whether it should.

A fault applies when every condition it names agrees with what is asked; conditions it does not name agree
with anything. `count` is how often it may strike; without it, until it is cleared.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

CONDITIONS = ("path", "method", "symbol", "stream", "api_key")
KINDS = {
    "timeout_after_accept": {"hang_ms"},
    "timeout_before_accept": {"hang_ms"},
    "late_accept": {"delay_ms", "hang_ms"},
    "http_status": {"status", "after", "body", "retry_after"},
    "error_code": {"code", "msg", "status", "after"},
    "latency_ms": {"ms"},
    "reset_connection": {"after"},
    "partial_fill": {"ratio"},
    "ban": {"seconds"},
    "clock_skew_ms": {"ms"},
    "mute_stream": set(),
    "drop_stream": set(),
    "malformed_frames": set(),
    "out_of_order": set(),
}
RANGES = {
    "hang_ms": (0, 600_000),
    "delay_ms": (0, 600_000),
    "status": (200, 599),
    "retry_after": (0, 86_400),
    "code": (-100_000, 0),
    "ms": (-(10**11), 10**11),
    "ratio": (0, 1),
    "seconds": (0, 10**6),
}


@dataclass(slots=True, eq=False)
class Fault:
    """One armed fault: `conditions` restrict where it strikes, `options` say how."""

    kind: str
    conditions: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    count: int | None = None
    struck: int = 0
    armed_ns: int = field(default_factory=time.monotonic_ns)

    def agrees(self, match: Mapping[str, str | None]) -> bool:
        """Does the fault apply to something with these properties?"""
        return all(_agrees(name, wanted, match.get(name)) for name, wanted in self.conditions.items())


class Faults:
    """All armed faults, oldest first. `listeners` are told of every change."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []
        self.listeners: list[Callable[[], None]] = []

    def arm(self, fault: Fault) -> None:
        """Add a fault."""
        self.armed.append(fault)
        self._changed()

    def clear(self, kind: str | None = None) -> int:
        """Remove all faults, or those of one kind; returns how many."""
        kept = [fault for fault in self.armed if kind is not None and fault.kind != kind]
        removed = len(self.armed) - len(kept)
        self.armed = kept
        self._changed()
        return removed

    def remove(self, fault: Fault) -> None:
        """Remove one fault that has done its work."""
        self.armed.remove(fault)
        self._changed()

    def active(self, kind: str, **match: str | None) -> Fault | None:
        """The first armed fault of this kind that agrees, without using it up."""
        for fault in self.armed:
            if fault.kind == kind and fault.agrees(match):
                return fault
        return None

    def take(self, kind: str, **match: str | None) -> Fault | None:
        """As `active`, and counts the strike; a fault with a `count` is gone after that many."""
        fault = self.active(kind, **match)
        if fault is not None:
            self.strike(fault)
        return fault

    def strike(self, fault: Fault) -> None:
        """Count one strike of a fault."""
        fault.struck += 1
        if fault.count is not None and fault.struck >= fault.count:
            self.remove(fault)

    def _changed(self) -> None:
        for listener in self.listeners:
            listener()


def parse(payload: Mapping[str, Any]) -> Fault:
    """A fault from a control request. Raises ValueError with a clear text."""
    kind = payload.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(sorted(KINDS))}")
    payload = _with_ms(kind, payload)
    unknown = set(payload) - {"kind", "count", *CONDITIONS} - KINDS[kind]
    if unknown:
        raise ValueError(f"{kind} does not take {', '.join(sorted(unknown))}")
    conditions = {name: str(payload[name]) for name in CONDITIONS if payload.get(name) is not None}
    options = {name: payload[name] for name in KINDS[kind] if name in payload}
    _check_options(options)
    count = payload.get("count")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise ValueError("count must be a whole number above zero")
    return Fault(kind, conditions, options, count)


def _with_ms(kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """`latency_ms` and `clock_skew_ms` carry their number as `ms`, `value` or under their own name."""
    if not kind.endswith("_ms"):
        return dict(payload)
    given = {name: value for name, value in payload.items() if name not in (kind, "value")}
    for name in (kind, "value"):
        if name in payload:
            given["ms"] = payload[name]
    if "ms" not in given:
        raise ValueError(f"{kind} needs ms")
    return given


def _check_options(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name in ("after", "body", "msg"):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise ValueError(f"{name} must be a number")
        try:
            number = float(value)
        except ValueError as error:
            raise ValueError(f"{name} must be a number") from error
        least, most = RANGES[name]
        if not least <= number <= most:
            raise ValueError(f"{name} must lie between {least} and {most}")


def _agrees(name: str, wanted: str, given: str | None) -> bool:
    if given is None:
        return False
    # A path condition names an endpoint by its end, so that `margin/order` suffices.
    return given.endswith(wanted) if name == "path" else given.upper() == wanted.upper()
