"""Times that cannot be true. When a clock is set back, what was written before it was lies in the future.

Whoever waits for such a time, or takes it for a sign of life, does so for as long as the clock was wrong. So
a time that no healthy writer can have written counts as long past.
"""

from datetime import datetime, timedelta

# As far as the clocks of two hosts may be apart: from here on `robson doctor` calls it a failure.
APART = timedelta(seconds=10)


def latest(now: datetime, ahead: timedelta = timedelta(0)) -> datetime:
    """The latest time that can have been written until now by who writes times at most so far `ahead`."""
    return now + ahead + APART


def age(at: datetime, now: datetime) -> timedelta:
    """How long ago that was, 0 or more; `timedelta.max` for a time that nobody can have noted yet."""
    if at > latest(now):
        return timedelta.max
    return max(now - at, timedelta(0))
