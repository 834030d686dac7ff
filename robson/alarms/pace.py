"""How often a channel may speak. Pure; times in seconds of one monotonic clock.

What comes meanwhile waits, and is told together in one message: nothing is left out.
"""

from dataclasses import dataclass, replace

GAP_S = 3.0
# Beyond so many messages in ten minutes, one a minute.
BUSY_MESSAGES = 20
BUSY_WINDOW_S = 600.0
BUSY_GAP_S = 60.0
FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 120.0


@dataclass(frozen=True, slots=True)
class Pace:
    """One channel's. `sent`: when it was given its last messages; `failures`: of the last ones in a row."""

    sent: tuple[float, ...] = ()
    failures: int = 0

    def next_at(self) -> float:
        """From when on it may be given another message."""
        if not self.sent:
            return 0.0
        last = self.sent[-1]
        if self.failures:
            return last + min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(self.failures - 1, 10))
        return last + (BUSY_GAP_S if len(self.sent) >= BUSY_MESSAGES else GAP_S)

    def gave(self, now: float) -> "Pace":
        recent = tuple(at for at in self.sent if now - at < BUSY_WINDOW_S)
        return replace(self, sent=(*recent, now))

    def ended(self, now: float, *, well: bool) -> "Pace":
        """After a message that went through, or did not. A failure counts from its end."""
        if well:
            return replace(self, failures=0)
        return Pace((*self.sent[:-1], now), self.failures + 1)
