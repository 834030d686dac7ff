"""The table as the README shows it, between its two marks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tests.drills import report
from tests.drills.lane import Outcome

PAGE = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- drills -->\n", "<!-- end of drills -->\n"


def rewrite(found: Sequence[Outcome], away: Mapping[str, str], *, at: datetime, poll_s: float) -> None:
    """Put the outcomes of a whole run into the page. Raises ValueError if its marks are gone."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    lines = "\n".join(_lines(found, away, at, poll_s))
    PAGE.write_text(f"{before}{BEGIN}\n{lines}\n\n{END}{after}", encoding="utf-8")


def _lines(found: Sequence[Outcome], away: Mapping[str, str], at: datetime, poll_s: float) -> Iterator[str]:
    yield f"{at:%Y-%m-%d %H:%M} UTC: all {len(found)} passed, no violation."
    yield f"{report.title(poll_s)}."
    yield ""
    yield "| row | what was broken | what is shown | unprotected | allowed | exits |"
    yield "|--:|---|---|--:|---|--:|"
    yield from (f"| {' | '.join(_cells(one))} |" for one in found)
    for row, why in away.items():
        yield f"| {row} | | not applicable: {why} | | | |"


def _cells(one: Outcome) -> tuple[str, ...]:
    row, shown, broken, unprotected, allowed, exits, _violations = report.cells(one)
    return row, broken, shown, unprotected, allowed, exits
