"""What a soak has come to: figures, the longest stretches without protection, and what does not hold."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.soak.monitor import Judgement, longest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that must not be. `symbol` is empty if it concerns no pair."""

    what: str
    symbol: str = ""


@dataclass
class Result:
    """A run, as far as it got. Stretches are those that count: all of them judged."""

    seed: int
    minutes: float
    digest: str
    prices: int = 0
    late_s: float = 0.0
    stalled_s: float = 0.0
    interrupted: bool = False
    figures: Mapping[str, int] = field(default_factory=dict)
    deeds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    judged: Sequence[Judgement] = ()
    problems: Sequence[Problem] = ()
    crossed: Sequence[Problem] = ()

    @property
    def too_long(self) -> list[Judgement]:
        return [one for one in self.judged if one.too_long]

    @property
    def held(self) -> bool:
        return not self.problems and not self.too_long

    @property
    def offending(self) -> list[str]:
        """The pairs that something is wrong with."""
        named = {problem.symbol for problem in self.problems if problem.symbol}
        return sorted(named | {one.stretch.exposure.symbol for one in self.too_long})


def told(result: Result) -> Iterable[str]:
    """The summary, line by line."""
    yield f"seed {result.seed}, {result.minutes:g} minutes, schedule {result.digest}"
    yield f"prices     {result.prices}, printed {result.late_s:.2f} s late at most"
    if result.stalled_s:
        yield f"machine    stood still for {result.stalled_s:.1f} s: run it again where less is going on"
    yield f"positions  {_counts(result.figures)}"
    yield f"owner      {_counts(result.deeds)}"
    yield f"faults     {_counts(result.faults)}"
    yield "longest without protection"
    for lack, one in sorted(longest(result.judged).items()):
        yield f"  {one.stretch.seconds:5.1f} s  {lack}: {story(one)}"
    excused = [one for one in result.judged if not one.too_long and one.stretch.seconds > one.bound_s]
    if excused:
        yield "longer than the bound, by no more than what it needs was away"
        yield from (f"  {one.stretch.seconds:5.1f} s  {story(one)}" for one in excused)
    if result.crossed:
        yield "orders of the owner's that crossed one of Robson's on the wire, which nobody can prevent"
        yield from (f"  {one.symbol}: {one.what}" for one in result.crossed)
    if result.too_long:
        yield f"TOO LONG WITHOUT PROTECTION: {len(result.too_long)}"
        yield from (f"  {one.stretch.seconds:5.1f} s  {story(one)}" for one in result.too_long)
    if result.problems:
        yield f"NOT TRUE AT THE END: {len(result.problems)}"
        yield from (f"  {one.symbol or 'all'}: {one.what}" for one in result.problems)
    yield verdict(result)


def verdict(result: Result) -> str:
    """One line that says how it ended."""
    if result.interrupted:
        return "interrupted: " + ("nothing was wrong so far" if result.held else "and not well")
    if result.held:
        return "held: no violation, no debt, nothing without protection for longer than allowed"
    return f"did not hold: {len(result.problems)} problems, {len(result.too_long)} stretches too long"


def story(one: Judgement) -> str:
    """What was without protection, when, and what was broken meanwhile."""
    exposure = one.stretch.exposure
    text = f"{exposure.symbol} {exposure.side} ({exposure.what})"
    text += f", {_clock(exposure.since)} to {_clock(one.stretch.end)}"
    if not one.stretch.over:
        text += ", still"
    needs = one.stretch.exposure.needs
    away = [outage.name for outage in one.outages if outage.what in needs]
    others = [outage.name for outage in one.outages if outage.what not in needs]
    if away:
        text += f"; {one.away_s:.1f} s without what it needs: {', '.join(away)}"
    return text + (f"; meanwhile: {', '.join(others)}" if others else "")


def as_json(result: Result) -> Json:
    """The same for programs; seconds and UTC."""
    return {
        "seed": result.seed,
        "minutes": result.minutes,
        "schedule": result.digest,
        "held": result.held,
        "interrupted": result.interrupted,
        "prices": result.prices,
        "stalled_s": round(result.stalled_s, 1),
        "positions": dict(result.figures),
        "owner": dict(result.deeds),
        "faults": dict(result.faults),
        "longest": {lack: _judgement(one) for lack, one in longest(result.judged).items()},
        "too_long": [_judgement(one) for one in result.too_long],
        "problems": [{"symbol": one.symbol, "what": one.what} for one in result.problems],
        "crossed": [{"symbol": one.symbol, "what": one.what} for one in result.crossed],
    }


def _judgement(one: Judgement) -> Json:
    return {
        "seconds": round(one.stretch.seconds, 2),
        "away_s": round(one.away_s, 2),
        "bound_s": one.bound_s,
        "story": story(one),
    }


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S.%f}"[:-5]
