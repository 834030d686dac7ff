"""How the doctor's findings are told."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from robson.doctor.findings import Finding, Verdict
from trading.management import screen

STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAILED: "bold red",
    Verdict.SKIPPED: "dim",
}


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    counts = _counts(findings)
    return {
        "healthy": not counts[Verdict.FAILED],
        "counts": {str(verdict): counts[verdict] for verdict in Verdict},
        "findings": [asdict(one) for one in findings],
    }


def shown(findings: Sequence[Finding]) -> Group:
    """All of them, then what to do, the worst last: that is what a terminal still shows."""
    rows = ((Text(one.verdict, style=STYLES[one.verdict]), one.name, one.detail) for one in findings)
    return Group(screen.Facts(rows), *_advice(findings), Text(), _summary(findings))


def _advice(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for verdict in (Verdict.WARNING, Verdict.FAILED):
        for one in findings:
            if one.verdict is verdict:
                yield Text()
                yield Text(f"{one.name}: {one.detail}", style=STYLES[verdict])
                yield screen.indented(Text(one.advice))


def _summary(findings: Sequence[Finding]) -> Text:
    counts = _counts(findings)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return Text(f"{told}.", style=STYLES[Verdict.FAILED if counts[Verdict.FAILED] else Verdict.OK])


def _counts(findings: Sequence[Finding]) -> Counter[Verdict]:
    return Counter(one.verdict for one in findings)
