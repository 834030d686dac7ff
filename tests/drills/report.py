"""The table and the file that a run of the drills leaves."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.drills.lane import Outcome

STANDSTILL_S = 1.0
_HEADS = ("row", "drill", "what was broken", "unprotected", "allowed", "exits", "violations", "verdict")
_NUMBERS = {"row", "unprotected", "exits", "violations"}


def title(poll_s: float) -> str:
    """What differs from production, which every figure below depends on."""
    return (
        f"Poll every {poll_s:g} s (production: 20 s), reconciliation every 5 s (60 s), "
        "all else as in production"
    )


def show(outcomes: Sequence[Outcome], away: Mapping[str, str], console: Console, *, heading: str) -> None:
    """The table, then the rows that do not apply."""
    table = Table(*_HEADS, title=heading, title_justify="left")
    for column in table.columns:
        column.justify = "right" if column.header in _NUMBERS else "left"
    for one in outcomes:
        verdict = "[green]passed[/green]" if one.passed else "[red]FAILED[/red]"
        table.add_row(*cells(one), verdict)
    console.print(table)
    for row, why in away.items():
        console.print(f"not applicable: row {row}: {why}", highlight=False)


def tell(one: Outcome, console: Console) -> None:
    """One line as it comes in, and all that was wrong."""
    verdict = "passed" if one.passed else "[red]FAILED[/red]"
    console.print(f"{one.row:>3}  {one.name}: {verdict} in {one.took_s:.0f} s", highlight=False)
    for expected, seen in one.wrong:
        console.print(f"     expected  {expected}\n     seen      {seen}", markup=False, highlight=False)
    for line in one.revived:
        console.print(f"     {line}", highlight=False)
    if one.stood_still_s > STANDSTILL_S:
        console.print(f"     (this machine stood still for {one.stood_still_s} s meanwhile)", highlight=False)
    if one.logs:
        console.print(f"     logs      {one.logs}", highlight=False)


def save(
    file: Path,
    outcomes: Sequence[Outcome],
    away: Mapping[str, str],
    *,
    began: datetime,
    took_s: float,
    poll_s: float,
) -> None:
    """The same for machines."""
    content = {
        "began": began.isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
        "poll_interval_s": poll_s,
        "passed": all(one.passed for one in outcomes),
        "drills": [one.as_json() for one in outcomes],
        "not_applicable": dict(away),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def cells(one: Outcome) -> tuple[str, ...]:
    """Row, drill, what was broken, unprotected, allowed, exits, violations."""
    unprotected = "-" if one.unprotected_s is None else f"{one.unprotected_s:.2f} s"
    return (
        str(one.row), one.name.replace("-", " "), one.broke, unprotected, _allowed(one),
        str(one.exits), str(one.violations),
    )  # fmt: skip


def _allowed(one: Outcome) -> str:
    if not one.allowed_for:
        return "-"
    outage = f"outage {one.outage_s:.1f} s + " if one.outage_s else ""
    return f"{outage}{one.allowed_s:g} s: {one.allowed_for}"
