"""An alarm before it is written down, and what the owner should do about each kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from robson.alarms.kinds import Kind, Severity


@dataclass(frozen=True, slots=True)
class Links:
    """What an alarm is about, by number."""

    slot_id: int | None = None
    position_id: int | None = None
    guard_id: int | None = None
    intent_id: int | None = None
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be told. `key` makes it the same alarm when it is seen again.

    A draft that is not `lasting` has happened once. `until`: it is known to last until then, seen or not.
    `after`: how long it must have been so, where that is more than is usual for its kind.
    """

    kind: Kind
    key: str
    severity: Severity
    subject: str
    text: str
    at: datetime
    lasting: bool = False
    until: datetime | None = None
    after: timedelta = timedelta(0)
    account: str = ""
    links: Links = field(default_factory=Links)

    @property
    def to_do(self) -> str:
        return TO_DO.get(self.kind, "")


TO_DO: Mapping[Kind, str] = {
    Kind.UNPROTECTED: "Close it in the Binance app, or place a stop there, now. Then ask `robson doctor` why "
    "nobody guards it.",
    Kind.EXIT_EXECUTED: "Nothing. `robson explain` tells the whole story of the position.",
    Kind.EXIT_FAILING: "Robson keeps trying. If the reason does not go away by itself, close the position in "
    "the Binance app: Robson notices, and stops trying.",
    Kind.FEED_STALE: "Nothing at first: prices are asked over REST, once a second. If it lasts, look at the "
    "network and at the exchange's status page.",
    Kind.POLL_LATE: "The consumer polls in its place. Start the safetynet worker, beat and Redis again; "
    "`robson doctor` says which of them is missing.",
    Kind.CONSUMER_DEAD: "The poll drives Core's stops, but only every 20 s. Start the consumer again "
    "and read the end of its log.",
    Kind.RECONCILIATION: "If that was you, nothing. If not, change the API key, look who has access to the "
    "account, and look at the pair in the Binance app.",
    Kind.BAN: "Do not restart anything: every further call makes it longer. No exit can be sent before its "
    "end; close what is urgent in the Binance app.",
    Kind.DUST: "Nothing. What is left is too small for an order; Binance can convert small balances.",
    Kind.ENTRY_FAILED: "Nothing is open. Arm the symbol again if you still want to.",
    Kind.POSITION_ERROR: "Look at the pair in the Binance app: the position is there, without a stop of "
    "Core's. The next poll guards it.",
    Kind.DATABASE_AWAY: "Nothing can be entered or closed without it. Start PostgreSQL again, look at its "
    "disk and its log; close what is urgent in the Binance app.",
    Kind.BROKER_AWAY: "Stops keep working: the consumer exits and polls by itself. Start Redis again.",
}
