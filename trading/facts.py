"""Core's published facts about a position."""

from trading.domain.events import CorePositionClosed, CorePositionOpened
from trading.models import Position


def opened(position: Position, order_id: str) -> CorePositionOpened:
    """Core owns its slot from now on; `order_id` is the entry's, at the exchange."""
    slot = position.slot.key
    return CorePositionOpened(
        position_id=str(position.pk),
        symbol=slot.symbol,
        side=slot.side,
        binance_position_id=order_id,
        account=slot.account,
        venue=slot.venue,
    )


def closed(position: Position) -> CorePositionClosed:
    """Core owns its slot no longer."""
    slot = position.slot.key
    return CorePositionClosed(
        position_id=str(position.pk),
        symbol=slot.symbol,
        side=slot.side,
        account=slot.account,
        venue=slot.venue,
    )
