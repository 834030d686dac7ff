"""Touching stops one after the other, and finding the order that each touch caused."""

import itertools

from benchmarks.market import Trader
from benchmarks.stage import BenchmarkError

# Far enough apart that every exit runs cold, uneven so that nothing periodic keeps step.
PAUSES_S = itertools.cycle((0.083, 0.127, 0.101, 0.119, 0.097, 0.131, 0.089, 0.109))
_LONGEST_NS = 5_000_000_000

Touches = list[tuple[str, int]]


def delays_ns(touches: Touches, trader: Trader) -> list[int]:
    """Nanoseconds from each touch (symbol, time) to the one order that it caused.

    Raises BenchmarkError for a touch with no order, or with more than one.
    """
    arrived = trader.arrivals()
    return [
        _caused(arrived.get(symbol, []), symbol, at, _next(touches[index + 1 :], symbol, at)) - at
        for index, (symbol, at) in enumerate(touches)
    ]


def _next(later: Touches, symbol: str, at: int) -> int:
    """When the same symbol is touched again, or long enough after."""
    return next((time for name, time in later if name == symbol), at + _LONGEST_NS)


def _caused(arrived: list[int], symbol: str, after: int, before: int) -> int:
    caused = [received for received in arrived if after < received < before]
    if len(caused) != 1:
        raise BenchmarkError(f"{symbol}: {len(caused)} orders after one touch")
    return caused[0]
