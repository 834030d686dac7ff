"""What an operator may choose about the simulated exchange."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Settings:
    """Collateral in quote currency per isolated pair; leverage as a multiple of the pair's own funds.

    `interest_per_hour` is a fraction of the debt. As on the real exchange the first hour is charged when
    borrowing.
    """

    collateral: Decimal = Decimal(10_000)
    leverage: int = 5
    interest_per_hour: Decimal = Decimal("0.0000125")
    initial_pairs: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    seed: int = 1
