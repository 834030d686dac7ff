"""The figures as docs/performance.md shows them, between its two marks: rewritten by every whole run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.report import number, target

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
_VERDICTS = {True: "met", False: "**missed**", None: ""}


def rewrite(found: Mapping[str, Sequence[Figure]], machine: Mapping[str, Any], at: str) -> None:
    """Put the figures of a run into the page. Raises ValueError if its marks are gone."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    lines = "\n".join(_lines(found, machine, at))
    PAGE.write_text(f"{before}{BEGIN}\n{lines}\n\n{END}{after}", encoding="utf-8")


def _lines(found: Mapping[str, Sequence[Figure]], machine: Mapping[str, Any], at: str) -> Iterator[str]:
    yield (
        f"Measured {at} on {machine['cores']} cores, Python {machine['python']}; "
        f"load average before the run {machine['load_average_1_min']}."
    )
    yield ""
    yield "| what | measured | target | | note |"
    yield "|---|--:|--:|---|---|"
    for name, figures in found.items():
        yield f"| **{name}** | | | | |"
        yield from (_row(figure) for figure in figures)


def _row(figure: Figure) -> str:
    measured = f"{number(figure.value)} {figure.unit}".strip()
    cells = (figure.name.strip(), measured, target(figure), _VERDICTS[figure.is_met], figure.note)
    return f"| {' | '.join(cells)} |"
