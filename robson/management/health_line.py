"""One line for how the parts are doing: what fails stands out, with its reason below."""

from collections.abc import Iterable

from rich.console import Group
from rich.text import Text

from robson.health import Part
from robson.management.holdings_view import LOUD, age


def health_line(parts: Iterable[Part]) -> Group:
    """Each part with its age; below, why those that fail do."""
    line, failing = Text(), []
    for part in parts:
        line.append("  " if line else "")
        if part.ready:
            line.append(part.name, style="green").append(f" {_short(part)}")
        else:
            line.append(f" {part.name}: {_short(part, 'not ready')} ", style=LOUD)
            failing.append(Text(f"{part.name}: {part.detail}", style="red"))
    return Group(line, *failing)


def _short(part: Part, otherwise: str = "ok") -> str:
    return otherwise if part.age_s is None else age(part.age_s)
