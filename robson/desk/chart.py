"""What a chart shows of one position: prices, its stop as steps, the best price, entry, exit, and events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q

from robson.desk import candles, following
from robson.desk.candles import Past
from robson.story.sentences import say
from safetynet.models import GuardedPosition
from trading.domain.events import EventKind
from trading.domain.trailing import TrailingStop, is_better
from trading.domain.types import Side
from trading.models import Account, Event, Position

MOST_EVENTS = 500
LEAST_MARGIN = timedelta(seconds=30)
# Each raise is a step of the stop already, and what orders do in detail is told in the story.
NO_MARKS = (
    EventKind.POSITION_STOP_RAISED,
    EventKind.INTENT_CLAIMED,
    EventKind.INTENT_SENT,
    EventKind.INTENT_SETTLED,
)
WHY = {
    EventKind.POSITION_ACTIVATED: "entered",
    EventKind.POSITION_STOP_RAISED: "followed the price",
    EventKind.POSITION_EXIT_REQUESTED: "exit",
    EventKind.GUARD_OPENED: "guarded",
    EventKind.GUARD_RECOMPUTED: "changed by hand",
    EventKind.GUARD_EXIT_REQUESTED: "exit",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A price (quote currency) at a time, and why it is there."""

    at: datetime
    price: Decimal
    why: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A numbered event; `price` is None where it is not about one."""

    number: int
    at: datetime
    price: Decimal | None
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`entry` and `exit` are None while there is none. `over`: nothing will change any more.

    `trailing` is a trailing stop as it began, None where the stop is fixed or waits.
    """

    account: Account
    symbol: str
    start: datetime
    end: datetime
    over: bool
    entry: Point | None
    exit: Point | None
    stops: tuple[Point, ...]
    peaks: tuple[Point, ...]
    marks: tuple[Mark, ...]
    trailing: TrailingStop | None = None

    def told(self, now: datetime) -> dict[str, Any]:
        """As the script draws it, with the prices around it. Times in seconds, prices as pixels need them."""
        margin = max((self.end - self.start) / 10, LEAST_MARGIN)
        last = min(self.end + margin, now)
        span = candles.span(
            self.symbol,
            (self.start - margin).timestamp(),
            last.timestamp(),
            # What has just ended is followed for a while: the prices after it are not all there yet.
            over=self.over and last < now,
        )
        past = candles.past(self.account, span)
        stops, peaks = self._followed(past)
        return {
            "live": not self.over,
            "interval": span.interval,
            "interval_s": candles.INTERVALS_S[span.interval],
            "from": span.start_ms / 1000,
            "to": span.end_ms / 1000,
            "candles": _columns(past),
            "trouble": past.trouble,
            "stops": _drawn(stops),
            "peaks": _drawn(peaks),
            "entry": _drawn([self.entry] if self.entry else []),
            "exit": _drawn([self.exit] if self.exit else []),
            "marks": [
                {
                    "t": mark.at.timestamp(),
                    "p": None if mark.price is None else float(mark.price),
                    "n": mark.number,
                }
                for mark in self.marks
            ],
        }

    def _followed(self, past: Past) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
        """Stops and best prices with what lies between the events, as far as the candles tell it."""
        if self.trailing is None or not self.stops or not self.peaks:
            return self.stops, self.peaks
        side, best = self.trailing.side, self.peaks[-1].price
        moves = [
            move for move in following.moves(self.trailing, past.candles, best) if move[0] < self.stops[-1].at
        ]
        return (
            _tightening([*self.stops, *(Point(at, stop) for at, stop, _ in moves)], side),
            _tightening([*self.peaks, *(Point(at, extreme) for at, _, extreme in moves)], side),
        )


def of_position(position: Position, now: datetime) -> Chart:
    """The chart of a Core position. One query."""
    events = _events(Q(position=position))
    opened = position.entry_price is not None and position.opened_at
    entry = Point(opened, position.entry_price) if opened and position.entry_price is not None else None
    return Chart(
        account=position.slot.account,
        symbol=position.slot.symbol,
        start=position.opened_at or position.armed_at,
        end=position.closed_at or now,
        over=position.closed_at is not None,
        entry=entry,
        exit=_exit(position.closed_at, position.exit_price),
        stops=_until(_stops(events), position.closed_at, now, position.stop_price),
        peaks=_until(_peaks(events, entry), position.closed_at, now, position.extreme_price),
        marks=tuple(_marks(events)),
        trailing=following.as_entered(position),
    )


def of_guard(guard: GuardedPosition, now: datetime) -> Chart:
    """The chart of a guarded position: its stop is fixed. One query."""
    events = _events(Q(guard_id=guard.pk))
    return Chart(
        account=guard.slot.account,
        symbol=guard.slot.symbol,
        start=guard.opened_at,
        end=guard.closed_at or now,
        over=guard.closed_at is not None,
        entry=Point(guard.opened_at, guard.entry_price),
        exit=_exit(guard.closed_at, guard.exit_price),
        stops=_until(_stops(events), guard.closed_at, now, guard.stop_price),
        peaks=(),
        marks=tuple(_marks(events)),
    )


def _events(about: Q) -> list[Event]:
    return list(Event.objects.filter(about).order_by("-id")[:MOST_EVENTS])[::-1]


def _exit(at: datetime | None, price: Decimal | None) -> Point | None:
    return Point(at, price) if at is not None and price is not None else None


def _stops(events: Iterable[Event]) -> Iterator[Point]:
    for event in events:
        if event.kind in WHY and event.data.get("stop"):
            yield Point(event.at, Decimal(event.data["stop"]), WHY[EventKind(event.kind)])


def _peaks(events: Iterable[Event], entry: Point | None) -> Iterator[Point]:
    """The best price starts at the entry."""
    if entry is not None:
        yield entry
    for event in events:
        if event.data.get("extreme"):
            yield Point(event.at, Decimal(event.data["extreme"]))


def _until(
    points: Iterable[Point], closed_at: datetime | None, now: datetime, last: Decimal | None
) -> tuple[Point, ...]:
    """What the log tells, and what the row says at last: smaller moves of a stop are not in the log."""
    told = tuple(points)
    if last is None:
        return told
    return (*told, Point(now, last, "now") if closed_at is None else Point(closed_at, last, "at the end"))


def _marks(events: Iterable[Event]) -> Iterator[Mark]:
    told = (event for event in events if event.kind not in NO_MARKS)
    for number, event in enumerate(told, start=1):
        price = event.data.get("price") or event.data.get("entry")
        yield Mark(number, event.at, Decimal(price) if price else None, say(event.kind, event.data)[1])


def _tightening(points: Iterable[Point], side: Side) -> tuple[Point, ...]:
    """In their order, without those that would loosen what stood before; the last one always."""
    ordered = sorted(points, key=lambda point: point.at)
    kept = ordered[:1]
    for point in ordered[1:-1]:
        if is_better(side, point.price, kept[-1].price):
            kept.append(point)
    return (*kept, ordered[-1]) if len(ordered) > 1 else tuple(kept)


def _drawn(points: Iterable[Point]) -> list[list[float]]:
    # A pixel needs no more digits than a float has; no amount is computed from these.
    return [[point.at.timestamp(), float(point.price)] for point in points]


def _columns(past: Past) -> dict[str, list[float]]:
    return {
        "t": [candle.open_time_ms / 1000 for candle in past.candles],
        "low": [float(candle.low) for candle in past.candles],
        "high": [float(candle.high) for candle in past.candles],
        "close": [float(candle.close) for candle in past.candles],
    }
