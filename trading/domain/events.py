"""The facts that Robson records and publishes. Past tense, dotted; ticks are never events."""

from dataclasses import dataclass
from enum import StrEnum

from trading.domain.types import Side, SlotKey, Venue


class EventKind(StrEnum):
    """What a row of the event log can say."""

    POSITION_ARMED = "position.armed"
    POSITION_DISARMED = "position.disarmed"
    POSITION_ENTERING = "position.entering"
    POSITION_ACTIVATED = "position.activated"
    POSITION_STOP_RAISED = "position.stop_raised"
    POSITION_EXIT_MARKED = "position.exit_marked"
    POSITION_EXIT_REQUESTED = "position.exit_requested"
    POSITION_CLOSED = "position.closed"
    POSITION_REDUCED = "position.reduced"
    POSITION_RECOGNISED = "position.recognised"
    POSITION_MISSING = "position.missing"
    POSITION_FOUND = "position.found"
    POSITION_CANCELLED = "position.cancelled"
    POSITION_FAILED = "position.failed"

    GUARD_OPENED = "guard.opened"
    GUARD_RECOMPUTED = "guard.recomputed"
    GUARD_RELEASED = "guard.released"
    GUARD_EXIT_REQUESTED = "guard.exit_requested"
    GUARD_CLOSED = "guard.closed"
    GUARD_LEFT_ALONE = "guard.left_alone"
    GUARD_EXEMPTED = "guard.exempted"
    GUARD_EXEMPTION_ENDED = "guard.exemption_ended"

    INTENT_CLAIMED = "intent.claimed"
    INTENT_SENT = "intent.sent"
    INTENT_FILLED = "intent.filled"
    INTENT_PARTIALLY_FILLED = "intent.partially_filled"
    INTENT_UNKNOWN = "intent.unknown"
    INTENT_REFUSED = "intent.refused"
    INTENT_RETRIED = "intent.retried"
    INTENT_SETTLED = "intent.settled"
    INTENT_DUST = "intent.dust"

    ACCOUNT_PAUSED = "account.paused"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_ADDED = "account.added"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_SWITCHED_OFF = "account.switched_off"
    ACCOUNT_SWITCHED_ON = "account.switched_on"

    SCHEDULE_CHANGED = "schedule.changed"

    EXCHANGE_BANNED = "exchange.banned"


@dataclass(frozen=True, slots=True)
class CorePositionOpened:
    """Core owns a slot from now on. `binance_position_id` is empty until the entry order has an id."""

    position_id: str
    symbol: str
    side: Side
    binance_position_id: str
    account: str
    venue: Venue

    @property
    def slot(self) -> SlotKey:
        return SlotKey(self.account, self.venue, self.symbol, self.side)


@dataclass(frozen=True, slots=True)
class CorePositionClosed:
    """Core owns the slot no longer, however that came about."""

    position_id: str
    symbol: str
    side: Side
    account: str
    venue: Venue

    @property
    def slot(self) -> SlotKey:
        return SlotKey(self.account, self.venue, self.symbol, self.side)
