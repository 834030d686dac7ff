"""What the soak itself did and saw, in the order of time, for the story of whatever goes wrong."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """`at` in seconds since the epoch. `symbol` is empty for what concerns all pairs."""

    at: float
    who: str
    what: str
    symbol: str = ""


@dataclass
class Diary:
    """Written by several threads; appending is all they do. `counts` is by who and what, for the summary."""

    entries: list[Entry] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def note(self, who: str, what: str, symbol: str = "", *, count: str = "") -> None:
        """`count` names what this is one of."""
        self.entries.append(Entry(time.time(), who, what, symbol))
        if count:
            self.counts[who][count] += 1

    def about(self, symbol: str) -> list[Entry]:
        """What concerns a pair: its own entries and those that concern all."""
        return [entry for entry in self.entries if entry.symbol in {symbol, ""}]
