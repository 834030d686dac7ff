"""Candle intervals: where each candle opens. All times in milliseconds since the epoch, UTC."""

from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# The epoch was a Thursday, weekly candles open on Mondays.
_FIRST_MONDAY = 4 * DAY

FIXED_MS: dict[str, int] = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
}
MONTH = "1M"
INTERVALS: tuple[str, ...] = (*FIXED_MS, MONTH)


def open_at(interval: str, at_ms: int) -> int:
    """When the candle that contains `at_ms` opened. Raises KeyError for an unknown interval."""
    if interval == MONTH:
        at = datetime.fromtimestamp(at_ms // 1_000, tz=UTC)
        return _month_ms(at.year, at.month)
    length = FIXED_MS[interval]
    offset = _FIRST_MONDAY if interval == "1w" else 0
    return (at_ms - offset) // length * length + offset


def next_open(interval: str, open_ms: int) -> int:
    """When the candle after the one that opened at `open_ms` opens."""
    if interval == MONTH:
        at = datetime.fromtimestamp(open_ms // 1_000, tz=UTC)
        return _month_ms(at.year + at.month // 12, at.month % 12 + 1)
    return open_ms + FIXED_MS[interval]


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000
