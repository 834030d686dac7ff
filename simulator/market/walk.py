"""A seeded geometric walk: prices that move all the time, and the same way every time."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from simulator.market.ticks import FeedError
from simulator.symbols import SymbolInfo

_PARTS = 1_000_000


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """`rate` in prints per second and symbol, `bps` the largest step in basis points."""

    rate: Decimal = Decimal(4)
    bps: Decimal = Decimal(2)


class Walk:
    """The walk of one symbol. The same seed and symbol take the same steps, whatever the pace."""

    def __init__(self, info: SymbolInfo, settings: WalkSettings, *, seed: int) -> None:
        self._info = info
        self._largest = int(settings.bps * 100)
        self._random = Random(f"{seed}:{info.symbol}")
        self._level = self._printed = Decimal(0)

    def step(self, last_price: Decimal) -> tuple[Decimal, Decimal, bool]:
        """The next price, quantity and whether the buyer is the maker.

        The walk keeps its own level between the ticks, and goes on from `last_price` if another moved it.
        """
        if last_price != self._printed:
            self._level = last_price
        moved = self._level * (_PARTS + self._random.randint(-self._largest, self._largest)) / _PARTS
        tick = self._info.tick
        self._level = min(max(moved, tick), self._info.max_price)
        self._printed = max(tick, (self._level / tick).to_integral_value() * tick)
        lots = Decimal(self._random.randint(10, 2_000)) / self._printed // self._info.step
        quantity = max(self._info.min_qty, lots * self._info.step)
        return self._printed, quantity, self._random.random() < 0.5


def parse_walk(spec: str) -> WalkSettings:
    """`walk` or `walk:rate=10,bps=5`. Raises FeedError for anything else."""
    chosen: dict[str, Decimal] = {}
    for option in filter(None, spec.partition(":")[2].split(",")):
        name, _, value = option.partition("=")
        if name not in {"rate", "bps"}:
            raise FeedError(f"{spec}: a walk has a rate and bps, not {name!r}")
        try:
            chosen[name] = Decimal(value)
        except ArithmeticError as error:
            raise FeedError(f"{spec}: {name} must be a number") from error
        if not (chosen[name].is_finite() and 0 < chosen[name] <= 10_000):
            raise FeedError(f"{spec}: {name} must lie above 0 and up to 10,000")
    return WalkSettings(**chosen)
