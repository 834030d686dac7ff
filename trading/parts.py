"""Whose coins are there: an owner's part of a long, by the trades since it was last determined.

The balances cannot tell where the owner keeps coins of his own in the pair: these hide what he has sold by
hand, and an exit that goes by the balances would sell them in its place.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal

from trading import fills, queries
from trading.domain.reconcile import sold_by_others
from trading.exchange.port import Exchange
from trading.models import Fill, OrderIntent, Position
from trading.models.intent import Owner, Purpose

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Part:
    """`quantity` (base) as of the trade `last_trade_id`; `ours` are orders that do not count."""

    quantity: Decimal
    last_trade_id: int
    ours: Collection[str]


PartReader = Callable[[OrderIntent, str], Part | None]
_readers: dict[Owner, PartReader] = {}


def register_part(owner: Owner, reader: PartReader) -> None:
    """`reader(intent, base_asset)` tells what an exit of this owner began with, None if it cannot."""
    _readers[owner] = reader


def part_of(intent: OrderIntent, base_asset: str) -> Part | None:
    """The part that the exit's owner had when he last knew."""
    return _readers[Owner(intent.owner)](intent, base_asset)


def core_part(position: Position, base_asset: str) -> Part | None:
    """What Core's entry has bought. None without an entry that was filled."""
    entries = position.intents.filter(purpose=Purpose.ENTRY)
    last = Fill.objects.filter(attempt__intent__in=entries).order_by("-trade_id").first()
    if last is None:
        return None
    bought = sum((fills.closed_quantity(entry, base_asset) for entry in entries), ZERO)
    return Part(bought, last.trade_id, queries.position_order_ids(position.pk))


def left(part: Part, symbol: str, base_asset: str, exchange: Exchange) -> Decimal:
    """What others have left of it (base): nothing but a sale by hand makes it less. Raises ExchangeError.

    What the owner buys by hand he sells first.
    """
    trades = exchange.trades(symbol, from_id=part.last_trade_id + 1)
    sold = sold_by_others(trades, part.ours, base_asset)
    return max(ZERO, part.quantity - max(ZERO, sold))
