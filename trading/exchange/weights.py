"""How much of Binance's request budget is spent, read from its own headers. Pure.

The headers count the whole address or account, so every process sees what all of them use. Limits per
minute: /api shares one per address; /sapi has one per endpoint and address, and one per endpoint and account.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_MINUTE_MS = 60_000

LIMITS: Mapping[str, int] = {
    "X-MBX-USED-WEIGHT-1M": 6_000,
    "X-SAPI-USED-IP-WEIGHT-1M": 12_000,
    "X-SAPI-USED-UID-WEIGHT-1M": 180_000,
}
"""Weight per minute, by the header that tells how much of it is used."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Weight used in the minute that began at `minute_ms`, and the limit."""

    used: int
    limit: int
    minute_ms: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What is known of the budget. Times are the exchange's, in milliseconds."""

    usages: Mapping[tuple[str, str], Usage] = field(default_factory=dict)
    quiet_until_ms: int = 0

    def observed(self, path: str, headers: Mapping[str, str], now_ms: int) -> "Budget":
        """The budget after an answer with `headers` to a call of `path`."""
        found = used_weights(headers)
        if not found:
            return self
        minute = now_ms - now_ms % _MINUTE_MS
        fresh = {counted_at(name, path): Usage(used, LIMITS[name], minute) for name, used in found.items()}
        return replace(self, usages={**self.usages, **fresh})

    def quieted(self, until_ms: int) -> "Budget":
        """The budget after being told to stay away until then."""
        return replace(self, quiet_until_ms=max(self.quiet_until_ms, until_ms))

    def is_quiet(self, now_ms: int) -> bool:
        """Whether the exchange has asked for silence, beyond any budget."""
        return now_ms < self.quiet_until_ms

    def wait_s(self, path: str, now_ms: int, share: float) -> float:
        """Seconds that a query of `path` should wait so that `1 - share` of the budget is left for exits."""
        if self.is_quiet(now_ms):
            return (self.quiet_until_ms - now_ms) / 1000
        usages = (self.usages.get(counted_at(name, path)) for name in LIMITS if _counts(name, path))
        waits = [
            (usage.minute_ms + _MINUTE_MS - now_ms) / 1000
            for usage in usages
            if usage is not None and usage.used >= usage.limit * share
        ]
        return max(0.0, *waits) if waits else 0.0


def used_weights(headers: Mapping[str, str]) -> dict[str, int]:
    """The used weights that an answer's headers state, by header name."""
    found = ((name, headers.get(name, "")) for name in LIMITS)
    return {name: int(value) for name, value in found if value.isascii() and value.isdigit()}


def counted_at(name: str, path: str) -> tuple[str, str]:
    """The header's name, and the endpoint that it counts alone, empty where all share one limit."""
    return (name, path if name.startswith("X-SAPI") else "")


def _counts(name: str, path: str) -> bool:
    return name.startswith("X-SAPI") == path.startswith("/sapi")
