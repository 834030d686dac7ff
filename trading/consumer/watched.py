"""What is watched of one symbol: its stops, its entries, and what is still to be learned of its prices."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from trading.domain.crossover import CrossoverDetector
from trading.domain.trailing import TrailingStop, is_better
from trading.domain.trailing_book import TrailingBook
from trading.domain.types import Tick
from trading.models import Position
from trading.services import Progress

ZERO = Decimal(0)
# A stop goes into the event log once it has moved by this share of its distance.
ANNOUNCED_SHARE = Decimal("0.1")
# Up to here a new gap is asked for together with an older one that is still owed. Beyond it the two would be
# told by candles, too coarse for the new one.
OWED_FOR_MS = 10 * 60_000


class StopWatch:
    """One Active position and how far its stop is persisted. The stop itself is in its symbol's book."""

    __slots__ = ("_announced", "_saved", "key", "position", "stop")

    def __init__(self, position: Position) -> None:
        self.key = str(position.pk)
        self.position = position
        self.stop = position.trailing
        """As last looked at; as it fired, once it has."""
        self._saved = self._announced = self.stop

    def progress(self) -> Progress | None:
        """What changed since the last call, for the batch that persists it."""
        now, saved = self.stop, self._saved
        if now.extreme is None or now.stop is None or (now.extreme, now.stop) == (saved.extreme, saved.stop):
            return None
        self._saved = now
        announcement = self._announcement(now.stop)
        return Progress(self.position.pk, now.extreme, now.stop, now.last_time_ms, announcement)

    def _announcement(self, stop: Decimal) -> Decimal | None:
        before = self._announced.stop
        distance = self.position.distance or ZERO
        if before is not None and abs(stop - before) < distance * ANNOUNCED_SHARE:
            return None
        self._announced = self.stop
        return before


@dataclass(slots=True)
class EntryWatch:
    """The crossover detector of one armed position."""

    position: Position
    detector: CrossoverDetector


@dataclass(slots=True)
class SymbolState:
    symbol: str
    book: TrailingBook = field(default_factory=TrailingBook)
    stops: dict[str, StopWatch] = field(default_factory=dict)
    unloaded: dict[str, StopWatch] = field(default_factory=dict)
    """Stops as they were saved, whose past is not known yet."""
    entries: list[EntryWatch] = field(default_factory=list)
    loading: int = 0
    behind: bool = False
    held_back: list[Tick] = field(default_factory=list)
    standing: dict[str, TrailingStop] = field(default_factory=dict)
    """The stops as they stood at `owed_ms`; empty when nothing is owed."""
    owed_ms: int = 0
    """The exchange's time (ms) from which on the list of trades is still owed, while some is."""
    last: Tick | None = None
    dropped: int = 0

    @property
    def holds(self) -> bool:
        """Whether a position's stop depends on its prices."""
        return bool(self.stops or self.unloaded)

    def forget(self, watch: StopWatch) -> None:
        del self.stops[watch.key]
        if watch.key in self.book:
            self.book.remove(watch.key)

    def give_up_gap(self) -> None:
        """Nothing is owed to a stop that is gone. Without any, nothing is asked for: the next asks itself."""
        self.standing = {key: stop for key, stop in self.standing.items() if key in self.stops}
        if self.behind and not self.stops:
            self.behind = False
            if not self.loading:
                self.held_back.clear()

    @property
    def seen_ms(self) -> int:
        """The exchange's time (ms) up to which prices have been seen, by the stream or by what was loaded."""
        if self.last is not None:
            return self.last.time_ms
        return min((watch.stop.last_time_ms for watch in self.look()), default=0)

    def fall_behind(self) -> int:
        """Prices may have been missed from now on. Returns the exchange's time (ms) to ask from.

        That is where an older answer is still owed from, if the stops of that time are still watched.
        """
        if self.behind:
            return self.owed_ms
        seen_ms = self.seen_ms
        owed = self.standing
        if not owed or seen_ms - self.owed_ms > OWED_FOR_MS:
            owed, self.owed_ms = {}, seen_ms
        self.standing = {watch.key: watch.stop for watch in self.look()} | owed
        self.behind = True
        return self.owed_ms

    def tighten(self, key: str, extreme: Decimal | None) -> None:
        """Give a stop of the book a better extreme (quote currency) than its own."""
        if extreme is None or key not in self.book or self.book[key].fired:
            return
        now = self.book[key]
        if now.extreme is None or is_better(now.side, extreme, now.extreme):
            self.book.remove(key)
            self.book.add(key, replace(now, extreme=extreme))

    def look(self) -> Iterable[StopWatch]:
        """The stops, as they stand now."""
        for key, watch in self.stops.items():
            if key in self.book:
                watch.stop = self.book[key]
            yield watch
