"""What is true at one moment: by the exchange's ledger, and by Robson's database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading.domain.types import Side


@dataclass(frozen=True, slots=True)
class Held:
    """A pair that is not flat, by the ledger. `quantity` in base currency, without a sign.

    `episode` numbers the positions of the pair. `dust` is the least that can be traded.
    """

    symbol: str
    side: Side
    quantity: Decimal
    dust: Decimal
    price: Decimal
    episode: int


@dataclass(frozen=True, slots=True)
class CorePart:
    """A position that Core owns, by the database. `filled_ms`: the exchange's time of its entry."""

    id: int
    symbol: str
    side: Side
    state: str
    quantity: Decimal
    entry: Decimal | None = None
    distance: Decimal | None = None
    filled_ms: int = 0


@dataclass(frozen=True, slots=True)
class Guard:
    """A live guard of the Safety Net, by the database."""

    id: int
    symbol: str
    side: Side
    state: str
    quantity: Decimal
    stop: Decimal
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Robson:
    """What Robson's database says."""

    cores: tuple[CorePart, ...] = ()
    guards: tuple[Guard, ...] = ()
    exempt: frozenset[tuple[str, Side]] = frozenset()


@dataclass(frozen=True, slots=True)
class Sight:
    """One moment, in seconds since the epoch. `stale`: the database could not be asked, `robson` is older."""

    at: float
    held: tuple[Held, ...]
    robson: Robson
    violations: tuple[Mapping[str, Any], ...] = ()
    stale: bool = False


def core_of(cores: Sequence[CorePart], symbol: str, side: Side) -> CorePart | None:
    return next((core for core in cores if (core.symbol, core.side) == (symbol, side)), None)
