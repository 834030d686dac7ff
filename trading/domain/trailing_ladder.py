"""Trailing stops of one side and one kind of offset, grouped by the best price that they share."""

from bisect import insort
from dataclasses import replace
from decimal import Decimal

from trading.domain.trailing import TrailingStop, activates, is_better, is_touched, standing_stop, stop_for
from trading.domain.types import Side

NOWHERE_LOW = Decimal(0)
NOWHERE_HIGH = Decimal("Infinity")


class Member:
    """One stop in a ladder. `given` is what it was added with; its extreme from then on is its rung's."""

    __slots__ = ("given", "key", "rung")

    def __init__(self, key: str, given: TrailingStop) -> None:
        self.key = key
        self.given = given
        self.rung: Rung | None = None

    def present(self) -> TrailingStop:
        """The stop as it stands, apart from its time."""
        if self.given.fired:
            return self.given
        now = self.given if self.rung is None else replace(self.given, extreme=self.rung.extreme)
        return replace(now, stop=standing_stop(now))


class Rung:
    """Stops that share an extreme, tightest first. `tightest` also covers every rung below this one."""

    __slots__ = ("extreme", "members", "tightest")

    def __init__(self, extreme: Decimal, members: list[Member]) -> None:
        self.extreme = extreme
        self.members = members
        self.tightest = extreme

    @property
    def stop(self) -> Decimal:
        return stop_for(self.members[0].given, self.extreme)


class Ladder:
    """Rungs from the best extreme to the worst, so that a new best price only ever meets the last ones.

    All members have the same side and either all a distance or all an offset in basis points: within a rung
    their order never changes.
    """

    __slots__ = ("_dormant", "_given_stops", "_rungs", "_side")

    def __init__(self, side: Side) -> None:
        self._side = side
        self._rungs: list[Rung] = []
        self._dormant: list[Member] = []
        self._given_stops: list[Member] = []

    def __bool__(self) -> bool:
        return bool(self._rungs or self._dormant)

    def add(self, member: Member) -> None:
        given = member.given
        if given.extreme is None:
            self._dormant.append(member)
        else:
            self._climb(given.extreme, [member])
        if given.stop is not None and not self._trails_tighter(given):
            insort(self._given_stops, member, key=self._tightness)

    def remove(self, member: Member) -> None:
        """Forget a member, wherever it is."""
        for shelf in (self._dormant, self._given_stops):
            if member in shelf:
                shelf.remove(member)
        if member.rung is not None:
            member.rung.members.remove(member)
            member.rung = None
            self._rungs = [rung for rung in self._rungs if rung.members]
            self._settle(0)

    def on_price(self, price: Decimal) -> list[Member]:
        """Check, then raise. The members that fire are returned and forgotten, their stop as it stood."""
        fired = self._touched(price)
        for member in fired:
            present = replace(member.present(), fired=True)
            self.remove(member)
            member.given = present
        self._raise(price)
        return fired

    def quiet_band(self) -> tuple[Decimal, Decimal]:
        """Prices strictly between these two change nothing."""
        if self._dormant or self._given_stops or not self._rungs:
            stop, wake = self._tightest(), self._wake()
        else:
            stop, wake = self._rungs[-1].tightest, self._rungs[-1].extreme
        return (stop, wake) if self._side is Side.LONG else (wake, stop)

    def _tightest(self) -> Decimal:
        stops = [self._rungs[-1].tightest] if self._rungs else []
        stops += [stop for member in self._given_stops[:1] if (stop := member.given.stop) is not None]
        return self._best_of(stops) if stops else NOWHERE_LOW if self._side is Side.LONG else NOWHERE_HIGH

    def _wake(self) -> Decimal:
        """The nearest price on the winning side at which something rises or becomes active."""
        if any(member.given.activation is None for member in self._dormant):
            return NOWHERE_LOW if self._side is Side.LONG else NOWHERE_HIGH
        prices = [price for member in self._dormant if (price := member.given.activation) is not None]
        prices += [rung.extreme for rung in self._rungs[-1:]]
        if self._side is Side.LONG:
            return min(prices, default=NOWHERE_HIGH)
        return max(prices, default=NOWHERE_LOW)

    def _touched(self, price: Decimal) -> list[Member]:
        touched: dict[str, Member] = {}
        for member in self._given_stops:
            stop = member.given.stop
            if stop is None or not is_touched(self._side, stop, price):
                break
            touched[member.key] = member
        if self._rungs and is_touched(self._side, self._rungs[-1].tightest, price):
            for rung in self._rungs:
                for member in rung.members:
                    if not is_touched(self._side, stop_for(member.given, rung.extreme), price):
                        break
                    touched[member.key] = member
        return list(touched.values())

    def _raise(self, price: Decimal) -> None:
        woken = self._woken(price) if self._dormant else []
        passed = len(self._rungs)
        while passed and is_better(self._side, price, self._rungs[passed - 1].extreme):
            passed -= 1
        if len(self._rungs) - passed == 1 and not woken:
            self._rungs[passed].extreme = price
            self._settle(passed)
            return
        members = [member for rung in self._rungs[passed:] for member in rung.members] + woken
        del self._rungs[passed:]
        if members:
            self._climb(price, members)

    def _woken(self, price: Decimal) -> list[Member]:
        woken = [member for member in self._dormant if activates(member.given, price)]
        self._dormant = [member for member in self._dormant if not activates(member.given, price)]
        return woken

    def _trails_tighter(self, given: TrailingStop) -> bool:
        """Whether the stop that it was given says nothing that its extreme does not."""
        return given.extreme is not None and standing_stop(given) == stop_for(given, given.extreme)

    def _climb(self, extreme: Decimal, members: list[Member]) -> None:
        """Put members on the rung of an extreme, which may be a new one."""
        index = len(self._rungs)
        while index and is_better(self._side, extreme, self._rungs[index - 1].extreme):
            index -= 1
        if index and self._rungs[index - 1].extreme == extreme:
            index -= 1
            members += self._rungs[index].members
            del self._rungs[index]
        rung = Rung(extreme, sorted(members, key=_offset))
        for member in members:
            member.rung = rung
        self._rungs.insert(index, rung)
        self._settle(index)

    def _settle(self, start: int) -> None:
        """Bring `tightest` up to date from one rung on."""
        for index in range(start, len(self._rungs)):
            rung = self._rungs[index]
            rung.tightest = (
                rung.stop if index == 0 else self._best_of([rung.stop, self._rungs[index - 1].tightest])
            )

    def _best_of(self, stops: list[Decimal]) -> Decimal:
        return max(stops) if self._side is Side.LONG else min(stops)

    def _tightness(self, member: Member) -> Decimal:
        stop = member.given.stop or NOWHERE_LOW
        return stop.copy_negate() if self._side is Side.LONG else stop


def _offset(member: Member) -> Decimal:
    given = member.given
    return given.distance if given.distance is not None else Decimal(given.offset_bps or 0)
