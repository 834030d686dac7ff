"""One line of a story."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Act(StrEnum):
    """What kind of thing happened."""

    KNOWN = "known"
    DECIDED = "decided"
    SENT = "sent"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Line:
    """`at` is the clock of this machine, but for what the exchange dated itself (`who` says so).

    `process` is the one that recorded it, empty for the exchange. `ids` are names and values to look it up
    by.
    """

    at: datetime
    who: str
    process: str
    act: Act
    text: str
    ids: tuple[tuple[str, str], ...] = ()

    @property
    def moment(self) -> str:
        """The time of day, UTC, to the millisecond."""
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03d}"
