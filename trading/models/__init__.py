"""What Robson remembers. The database enforces what must never be false."""

from trading.models.account import Account, Slot
from trading.models.event import Event, Heartbeat
from trading.models.intent import Fill, OrderAttempt, OrderIntent
from trading.models.position import Position

__all__ = ["Account", "Event", "Fill", "Heartbeat", "OrderAttempt", "OrderIntent", "Position", "Slot"]
