"""The market before the simulator started: made up, so that averages can warm up at once, but reproducible.

A path with a seed is value noise: eight octaves of pseudo-random levels on ever wider grids, with amplitudes
that grow with the square root of the width, as a random walk's do. It can be asked for at any moment without
walking there. Ages count back from the anchor, where every octave is zero, so that history ends exactly at
the price anchored. High and low come from a few points inside the candle; open and close are the path itself
and agree between intervals. It is all integer arithmetic in parts per million: no float becomes a price.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isqrt
from zlib import crc32

from simulator.market.candles import Candle
from simulator.market.intervals import DAY, next_open
from simulator.symbols import SymbolInfo

LISTED_FOR_MS = 10 * 365 * DAY
_PARTS = 1_000_000
_MASK = (1 << 64) - 1
_WIDTHS_MS = tuple(8_000 << 3 * octave for octave in range(8))
# Six basis points in a minute, about 40 % in half a year.
_AMPLITUDES_PPM = tuple(isqrt(width * 6) for width in _WIDTHS_MS)
_POINTS_INSIDE = 4


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where made-up history ends: the price when the market opened. Without a seed history is flat."""

    info: SymbolInfo
    price: Decimal
    at_ms: int
    seed: int | None = None


def price_at(anchor: Anchor, at_ms: int) -> Decimal:
    """The price in quote currency at a moment before the anchor, on the tick."""
    if anchor.seed is None:
        return anchor.price
    salt = anchor.seed ^ crc32(anchor.info.symbol.encode())
    age = anchor.at_ms - at_ms
    moved = sum(_octave(salt, octave, age) for octave in range(len(_WIDTHS_MS)))
    ticks = anchor.price * (_PARTS + moved) / _PARTS // anchor.info.tick
    return max(ticks, Decimal(1)) * anchor.info.tick


def _octave(salt: int, octave: int, age: int) -> int:
    width = _WIDTHS_MS[octave]
    index, inside = divmod(age, width)
    here, there = _level(salt, octave, index), _level(salt, octave, index + 1)
    return here + (there - here) * inside // width


@lru_cache(maxsize=65_536)
def _level(salt: int, octave: int, index: int) -> int:
    if index == 0:
        return 0
    amplitude = _AMPLITUDES_PPM[octave]
    return _mix(salt, octave << 56 ^ index) % (2 * amplitude + 1) - amplitude


def _mix(salt: int, value: int) -> int:
    """A 64-bit avalanche, the finaliser of SplitMix64."""
    mixed = (salt * 0x9E3779B97F4A7C15 + value) & _MASK
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
    return mixed ^ mixed >> 31


@lru_cache(maxsize=16_384)
def made_up_candle(anchor: Anchor, interval: str, open_ms: int, end_ms: int) -> Candle:
    """The candle that opened at `open_ms`, as far as `end_ms` (exclusive, not after the anchor)."""
    span = end_ms - open_ms
    points = [price_at(anchor, open_ms + span * n // (_POINTS_INSIDE + 1)) for n in range(_POINTS_INSIDE + 2)]
    volume = _volume(anchor, open_ms, span)
    return Candle(
        open_ms=open_ms,
        close_ms=next_open(interval, open_ms) - 1,
        open=points[0],
        high=max(points),
        low=min(points),
        close=points[-1],
        volume=volume,
        quote_volume=volume * points[-1],
        trades=0 if not volume else max(1, span // 500),
        taker_base=volume / 2,
        taker_quote=volume / 2 * points[-1],
    )


def _volume(anchor: Anchor, open_ms: int, span_ms: int) -> Decimal:
    """About a hundred units of quote currency a second, in base; nothing at all in a flat history."""
    if anchor.seed is None or span_ms <= 0:
        return Decimal(0)
    busy = 50 + _mix(anchor.seed, (anchor.at_ms - open_ms) // 1_000) % 100
    quote = Decimal(busy * span_ms) / 1_000
    return quote / anchor.price // anchor.info.step * anchor.info.step
