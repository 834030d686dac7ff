"""How long each position has been without protection. Pure but for the list it keeps: sights go in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tests.soak.outages import Outage, away_s
from tests.soak.sight import CorePart, Guard, Held, Sight, core_of
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side

ZERO = Decimal(0)


class Lack(StrEnum):
    """What a position lacks."""

    UNKNOWN = "unknown to Robson"
    NO_STOP = "filled, but not recorded: no stop yet"
    SURPLUS = "more than Robson guards"
    DUE = "its exit is due"


# What each kind of protection runs on. Only while one of these is away is the time of the outage added to
# what is allowed: silent streams, slow answers, wrong clocks and lost orders get no allowance.
EXCHANGE = frozenset({"machine", "postgres", "ban", "http_status"})
POLL = EXCHANGE | {"worker-safetynet", "beat", "redis"}
CORE = EXCHANGE | {"consumer"}
# Who has asked for an exit by hand, or for a safety exit, has asked the exits' worker.
SAFETY_EXIT = POLL | {"worker-exits"}
EXIT_ASKED_FOR = EXCHANGE | {"worker-exits", "redis"}


@dataclass(frozen=True, slots=True)
class Exposure:
    """Something unprotected at one moment. `key` is the same from one moment to the next.

    `needs` names what would have to work for the protection to come.
    """

    key: tuple[object, ...]
    lack: Lack
    symbol: str
    side: Side
    what: str
    since: float
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """An exposure from its begin to its end, in seconds since the epoch; `over` is False while it lasts."""

    exposure: Exposure
    end: float
    over: bool = True

    @property
    def seconds(self) -> float:
        return self.end - self.exposure.since


@dataclass(frozen=True, slots=True)
class Judgement:
    """A stretch beside what is allowed. `outages` are all that overlapped.

    `away_s`: how long something was away that the protection needs.
    """

    stretch: Stretch
    bound_s: float
    away_s: float
    outages: tuple[Outage, ...]

    @property
    def too_long(self) -> bool:
        return self.stretch.seconds > self.bound_s + self.away_s


def judge(stretch: Stretch, bound_s: float, outages: Sequence[Outage]) -> Judgement:
    """`bound_s`: one poll and the fence. The time of an outage is added, what comes after it is not."""
    begin, end = stretch.exposure.since, stretch.end
    during = tuple(outage for outage in outages if outage.overlaps(begin, end))
    return Judgement(stretch, bound_s, away_s(during, stretch.exposure.needs, begin, end), during)


TouchedAt = Callable[[CorePart], float | None]


@dataclass
class Monitor:
    """Takes sights in their order. `stretches` are those that have ended."""

    touched_at: TouchedAt
    open: dict[tuple[object, ...], Exposure] = field(default_factory=dict)
    stretches: list[Stretch] = field(default_factory=list)
    last: Sight | None = None

    def look(self, sight: Sight) -> None:
        """Begin what has begun, end what has ended: no earlier than it is seen to have ended."""
        self.last = sight
        now = {exposure.key: exposure for exposure in exposures(sight, self.touched_at)}
        for key in [key for key in self.open if key not in now]:
            self.stretches.append(Stretch(self.open.pop(key), sight.at))
        for key, exposure in now.items():
            self.open.setdefault(key, exposure)

    def all(self) -> list[Stretch]:
        """What has ended, and what lasts, up to the last sight."""
        now = self.last.at if self.last else 0.0
        return [*self.stretches, *(Stretch(one, now, over=False) for one in self.open.values())]


def exposures(sight: Sight, touched_at: TouchedAt) -> Iterator[Exposure]:
    """What is without protection at this moment."""
    for held in sight.held:
        core = core_of(sight.robson.cores, held.symbol, held.side)
        guards = (g for g in sight.robson.guards if (g.symbol, g.side) == (held.symbol, held.side))
        guard = next(guards, None)
        exempt = (held.symbol, held.side) in sight.robson.exempt
        yield from _lacking(held, core, guard, sight.at, exempt=exempt)
        if core is not None:
            yield from _core_due(held, core, touched_at(core), sight.at)
        if guard is not None and not (exempt and guard.state == GuardState.GUARDING):
            yield from _guard_due(held, core, guard, sight.at)


def _lacking(
    held: Held, core: CorePart | None, guard: Guard | None, at: float, *, exempt: bool
) -> Iterator[Exposure]:
    where = (held.symbol, held.side, held.episode)
    if core is not None and core.state == PositionState.ENTERING:
        yield Exposure(
            (*where, core.id), Lack.NO_STOP, held.symbol, held.side, f"position {core.id}", at, CORE
        )
        return
    if exempt:
        return
    if core is None and guard is None:
        yield Exposure(
            where, Lack.UNKNOWN, held.symbol, held.side, f"{held.quantity} at {held.price}", at, POLL
        )
        return
    known = (core.quantity if core else ZERO) + (guard.quantity if guard else ZERO)
    if held.quantity - known > held.dust:
        what = f"{held.quantity} held, {known} known"
        key = (*where, core and core.id, guard and guard.id, known)
        yield Exposure(key, Lack.SURPLUS, held.symbol, held.side, what, at, POLL)


def _core_due(held: Held, core: CorePart, touched: float | None, at: float) -> Iterator[Exposure]:
    if touched is not None or core.state == PositionState.EXITING:
        what = f"position {core.id}, " + ("stop touched" if touched else "asked for")
        since, needs = (at, EXIT_ASKED_FOR) if touched is None else (touched, CORE)
        yield Exposure(("core", core.id), Lack.DUE, held.symbol, held.side, what, since, needs)


def _guard_due(held: Held, core: CorePart | None, guard: Guard, at: float) -> Iterator[Exposure]:
    """A price that has come back before a poll saw it is none: the Safety Net sees one price per poll."""
    if core is not None and held.quantity - core.quantity <= held.dust:
        return
    through = held.price <= guard.stop if held.side is Side.LONG else held.price >= guard.stop
    if through or guard.touched or guard.state == GuardState.EXITING:
        key = ("guard", guard.id, guard.stop)
        what = f"guard {guard.id}, stop {guard.stop.normalize():f}"
        yield Exposure(key, Lack.DUE, held.symbol, held.side, what, at, SAFETY_EXIT)


def longest(judged: Iterable[Judgement]) -> dict[Lack, Judgement]:
    """The longest of each kind."""
    found: dict[Lack, Judgement] = {}
    for one in judged:
        lack = one.stretch.exposure.lack
        if lack not in found or one.stretch.seconds > found[lack].stretch.seconds:
            found[lack] = one
    return found
