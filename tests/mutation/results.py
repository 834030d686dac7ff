"""What has come out so far: kept in a file, so that a run can be interrupted, and shown as a table."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.trying import Outcome


class Results:
    """Outcomes by mutant. A mutant whose line has changed is another mutant."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}

    def of(self, mutant: Mutant) -> Outcome | None:
        known = self._known.get(mutant.key)
        return Outcome(*known) if known else None

    def add(self, mutant: Mutant, outcome: Outcome) -> None:
        self._known[mutant.key] = list(outcome)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._known, indent=0))
        fresh.replace(self._path)


def table(tried: Iterable[tuple[Mutant, Outcome]], named: Iterable[str]) -> str:
    """Per file; the files `named` are summed up on their own as well."""
    counts: dict[str, Counter[str]] = {}
    for mutant, outcome in tried:
        counts.setdefault(mutant.file, Counter())[outcome.how] += 1
    rows: list[tuple[str, ...]] = [("file", "mutants", "killed", "time-out", "survived", "no test", "share")]
    rows += [_row(file, counts[file]) for file in sorted(counts)]
    some = [counts[file] for file in named if file in counts]
    rows.append(_row("the three named", sum(some, Counter())))
    rows.append(_row("all", sum(counts.values(), Counter())))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _row(name: str, count: Counter[str]) -> tuple[str, ...]:
    killed = count["killed"] + count["time-out"] + count["crash"]
    share = f"{100 * killed / count.total():.1f} %" if count else "-"
    cells = (
        count.total(),
        count["killed"] + count["crash"],
        count["time-out"],
        count["survived"],
        count["no test"],
    )
    return (name, *map(str, cells), share)
