"""The order book around a price: deterministic, and as deep as one asks for."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from simulator.symbols import SymbolInfo

Level = tuple[Decimal, Decimal]
NOTHING: Level = (Decimal(0), Decimal(0))
# Fuller and thinner levels in a fixed pattern, in tenths of the depth's own size.
_PATTERN = tuple(Decimal(10 + offset) / 10 for offset in (0, 7, 4, 1, 8, 5, 2, 9, 6, 3))


@dataclass(frozen=True, slots=True)
class Depth:
    """How much rests on each of `levels` levels a side: `quantity` in base, or else `notional` in quote."""

    levels: int = 5_000
    notional: Decimal = Decimal(200_000)
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Bids from the best down and asks from the best up, each level (price in quote, quantity in base)."""

    symbol: str
    update_id: int
    bids: list[Level]
    asks: list[Level]

    @property
    def best_bid(self) -> Level:
        """The highest bid; zeros when nobody bids."""
        return self.bids[0] if self.bids else NOTHING

    @property
    def best_ask(self) -> Level:
        """The lowest ask; zeros when nobody offers."""
        return self.asks[0] if self.asks else NOTHING


def book_around(info: SymbolInfo, price: Decimal, *, depth: Depth, limit: int, update_id: int) -> Book:
    """The best bid at `price`, the best ask one tick above it, a level on every tick from there."""
    levels = min(limit, depth.levels)
    bids = [
        (price - info.tick * n, level_quantity(info, price, depth, n))
        for n in range(levels)
        if price > info.tick * n
    ]
    asks = [(price + info.tick * (n + 1), level_quantity(info, price, depth, n)) for n in range(levels)]
    return Book(info.symbol, update_id, bids, asks)


def level_quantity(info: SymbolInfo, price: Decimal, depth: Depth, level: int) -> Decimal:
    """What rests on a level, in base currency. A quantity asked for outright is the same on every level."""
    if depth.quantity is not None:
        return depth.quantity
    full = depth.notional / price * _PATTERN[level % len(_PATTERN)]
    return max(info.step, full.quantize(info.step, rounding=ROUND_FLOOR))
