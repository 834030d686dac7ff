"""A whole story: what it is about, the verdict, and the lines in order."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from robson.story import rows as reading
from robson.story import telling, verdict, verdict_of_guard
from robson.story.line import Line
from robson.story.verdict import Verdict
from safetynet.models import GuardedPosition
from trading.models import Position


@dataclass(frozen=True, slots=True)
class Story:
    """`kind` is `core` or `guard`, `id` its number. `cut`: the log holds more events than are told."""

    kind: str
    id: int
    account: str
    symbol: str
    side: str
    state: str
    verdict: Verdict
    lines: tuple[Line, ...]
    cut: bool = False

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def story_of_position(position: Position, now: datetime) -> Story:
    """The story of a Core position so far. Raises DatabaseError."""
    rows = reading.rows_of_position(position, now)
    return _story("core", position, verdict.of_position(position, rows), rows)


def story_of_guard(guard: GuardedPosition, now: datetime) -> Story:
    """The story of a guarded position so far. Raises DatabaseError."""
    rows = reading.rows_of_guard(guard, now)
    return _story("guard", guard, verdict_of_guard.of_guard(guard, rows), rows)


def _story(kind: str, row: Position | GuardedPosition, found: Verdict, rows: reading.Rows) -> Story:
    slot = row.slot
    return Story(
        kind=kind,
        id=row.pk,
        account=slot.account.name,
        symbol=slot.symbol,
        side=slot.side,
        state=row.state,
        verdict=found,
        lines=telling.lines(rows),
        cut=rows.cut,
    )
