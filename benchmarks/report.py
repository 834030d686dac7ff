"""What a run found: a table for people, a file for comparisons."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

LATEST = Path(__file__).with_name("latest.json")


def table(found: Mapping[str, Sequence[Figure]]) -> Table:
    """All figures, with targets and verdicts."""
    drawn = Table("what", "measured", "target", "", "note", title="Robson, measured")
    for column in (1, 2):
        drawn.columns[column].justify = "right"
    for name, figures in found.items():
        drawn.add_section()
        drawn.add_row(f"[bold]{name}[/bold]")
        for figure in figures:
            drawn.add_row(*_row(figure))
    return drawn


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    verdict = {True: "[green]met[/green]", False: "[red]missed[/red]", None: ""}[figure.is_met]
    return figure.name, f"{number(figure.value)} {figure.unit}", target(figure), verdict, figure.note


def target(figure: Figure) -> str:
    """A figure's target in words, empty without one."""
    if figure.at_most is not None:
        return f"<= {number(figure.at_most)} {figure.unit}".strip()
    return f">= {number(figure.at_least)} {figure.unit}".strip() if figure.at_least is not None else ""


def number(value: float) -> str:
    """A value with as many places as it is worth."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def save(found: Mapping[str, Sequence[Figure]], machine: Mapping[str, Any], at: str) -> None:
    """Write the run's figures. Nothing in it names the machine or a place on it."""
    content = {
        "measured_at": at,
        "machine": machine,
        "figures": {name: [_plain(figure) for figure in figures] for name, figures in found.items()},
    }
    LATEST.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _plain(figure: Figure) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": figure.name,
        "value": round(figure.value, 3),
        "unit": figure.unit,
        "at_most": figure.at_most,
        "at_least": figure.at_least,
        "met": figure.is_met,
        "note": figure.note or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def machine() -> dict[str, Any]:
    """What the figures depend on. The load before the run tells whether others were at work."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average_1_min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def show(found: Mapping[str, Sequence[Figure]], console: Console) -> None:
    """Print the table, and how many targets were missed."""
    console.print(table(found))
    missed = [each.name for figures in found.values() for each in figures if each.is_met is False]
    console.print(
        f"[red]missed: {'; '.join(missed)}[/red]" if missed else "[green]every target is met[/green]"
    )
