"""One trade on the tape."""

from dataclasses import dataclass
from decimal import Decimal

FIRST_TRADE_ID = 1_000_001


@dataclass(frozen=True, slots=True)
class TradePrint:
    """A trade as published: price in quote currency, quantity in base, `time_ms` by the exchange's clock.

    `published_ns` is `time.monotonic_ns()` just before anybody is told, so that a benchmark can subtract it
    from the arrival of an order.
    """

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    time_ms: int
    buyer_is_maker: bool
    published_ns: int

    @property
    def agg_id(self) -> int:
        """The aggregate trade's id. Every print is one aggregate; the two kinds of id differ all the same."""
        return self.trade_id - FIRST_TRADE_ID + 1
