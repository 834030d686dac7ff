"""Robson without one of its protections: what the matrix must notice."""

from datetime import timedelta
from typing import Any

from tests.faults import crash_arming


def take_out(protection: str) -> None:
    """Take a protection out of this process, for as long as it lives."""
    _WITHOUT[protection]()


def _the_look_ups() -> None:
    """Whoever finds an order left behind takes it for lost, and sends the next, whatever trades tell."""
    from trading import recording

    def blind(attempt: Any, desk: Any) -> None:
        recording.never_accepted(attempt, at=desk.clock())

    crash_arming.replace("trading.execution:_look_up", lambda _: blind)
    crash_arming.replace("trading.planning:_by_trades", lambda _: lambda *_: None)


def _the_time() -> None:
    """Neither lease nor fence: an order that is not found at once is taken for lost."""
    crash_arming.replace("trading.claims:_lease", lambda _: lambda: timedelta(0))
    crash_arming.replace("trading.execution:fence_ms", lambda _: lambda _attempt: 0)


_WITHOUT = {"the look-ups": _the_look_ups, "the time": _the_time}
