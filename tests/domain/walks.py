"""Seeded price series, and a second opinion on trailing stops that shares no code with the first."""

import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from trading.domain.trailing import TrailingStop
from trading.domain.types import Side


@dataclass(frozen=True)
class Fired:
    """Where a stop fired (None: nowhere) and what the stop was then, or at the end."""

    index: int | None
    stop: Decimal | None


def seeded_walk(seed: int, length: int, start_cents: int = 6_180_000) -> list[Decimal]:
    """Prices in whole cents around 61,800, with drift that turns, repeats and sudden gaps."""
    source = random.Random(seed)  # noqa: S311  # must be reproducible, not secret
    cents, drift, prices = start_cents, 0, []
    for _ in range(length):
        if source.random() < 0.02:
            drift = source.choice([-120, -40, 0, 40, 120])
        gap = source.choice([-9000, 9000]) if source.random() < 0.002 else 0
        if source.random() > 0.2:
            cents += drift + source.randint(-500, 500) + gap
        prices.append(Decimal(cents) / 100)
    return prices


def fire_naively(stop: TrailingStop, prices: list[Decimal]) -> Fired:
    """Lay out every stop of the whole series first, then look where a price meets the one before it."""
    begin = _activation_index(stop, prices)
    if begin is None:
        return Fired(None, None)
    long = stop.side is Side.LONG
    levels = [_level(stop, best) for best in accumulate(prices[begin:], max if long else min)]
    for index, (price, level) in enumerate(zip(prices[begin + 1 :], levels, strict=False), start=begin + 1):
        if (long and price <= level) or (not long and price >= level):
            return Fired(index, level)
    return Fired(None, levels[-1])


def _activation_index(stop: TrailingStop, prices: list[Decimal]) -> int | None:
    if stop.activation is None:
        return 0
    for index, price in enumerate(prices):
        if (price >= stop.activation) if stop.side is Side.LONG else (price <= stop.activation):
            return index
    return None


def _level(stop: TrailingStop, best: Decimal) -> Decimal:
    direction = -1 if stop.side is Side.LONG else 1
    if stop.distance is not None:
        return best + direction * stop.distance
    assert stop.offset_bps is not None
    return best * (10_000 + direction * stop.offset_bps) / 10_000
