"""The market of a soak: walks that now rest, now trend, now jump, so that stops trail and are touched."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from simulator.symbols import CATALOG
from tests.soak.dice import dice, weighted

STEP_MS = 500
MILLION = 1_000_000
# Prices stay between these shares of where they began: a stop of 2 % means the same all the way.
LOWEST, HIGHEST = Decimal("0.7"), Decimal("1.4")


@dataclass(frozen=True, slots=True)
class Print:
    """A trade of somebody else's. `at_ms` since the start of the soak, price in quote currency."""

    at_ms: int
    symbol: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class _Phase:
    """`drift` and `noise` in millionths of the price per print; `steps` is how many prints it lasts."""

    steps: int
    drift: int = 0
    noise: int = 200
    jump: int = 0
    quiet: bool = False


def walk(seed: int, symbol: str) -> Iterator[Print]:
    """Prints of one symbol for ever, one every half second, at moments of its own."""
    chance = dice(seed, f"prices:{symbol}")
    reference, tick = CATALOG[symbol].reference_price, CATALOG[symbol].tick
    level, at_ms = reference, chance.randrange(STEP_MS)
    while True:
        phase = _phase(chance, level / reference)
        level += level * phase.jump / MILLION
        for _ in range(phase.steps):
            level += level * (phase.drift + chance.randint(-phase.noise, phase.noise)) / MILLION
            level = min(max(level, reference * LOWEST), reference * HIGHEST).quantize(tick)
            if not phase.quiet:
                yield Print(at_ms, symbol, level)
            at_ms += STEP_MS


def _phase(chance: Random, share: Decimal) -> _Phase:
    """`share`: of where the price began. Far from there it tends to come back."""
    kind = weighted(chance, {"rest": 5, "trend": 9, "jump": 2, "quiet": 1})
    down = chance.random() < (0.9 if share > Decimal("1.2") else 0.1 if share < Decimal("0.8") else 0.5)
    sign = -1 if down else 1
    if kind == "trend":
        return _Phase(chance.randint(16, 80), drift=sign * chance.randint(250, 1_000), noise=500)
    if kind == "jump":
        return _Phase(chance.randint(10, 40), jump=sign * chance.randint(10_000, 50_000))
    if kind == "quiet":
        return _Phase(chance.randint(8, 30), quiet=True)
    return _Phase(chance.randint(20, 60))
