"""All drills by row, and the rows that do not apply."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.drills.scene import Scene

ROWS = range(1, 31)
THEMES = ("processes", "feed", "orders", "holdings", "infrastructure")
EVERYTHING = ("worker-exits", "worker-safetynet", "worker-default", "consumer", "beat", "web")

_RESTING = "no stop rests at the exchange: conditional orders are not built"
# Row, or a part of one, and why.
NOT_APPLICABLE: dict[str, str] = {
    "18 (resting stop)": _RESTING,
    "19": _RESTING,
    "28 (resting stop)": _RESTING,
}


@dataclass(frozen=True)
class Drill:
    """One rehearsal. `exits` is how many exit orders the exchange must have executed at its end.

    `revives`: processes may end by themselves and are started again, as `make run` does it.
    """

    row: int
    name: str
    broke: str
    shows: str
    run: Callable[[Scene], None]
    exits: int
    needs: Sequence[str]
    revives: bool


_drills: dict[str, Drill] = {}


def drill(
    row: int, *, broke: str, exits: int = 1, needs: Sequence[str] = EVERYTHING, revives: bool = False
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Declare a drill of this row (0 is a control). `needs` names the processes that it wants to find up."""

    def declare(run: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = run.__name__.replace("_", "-")
        if name in _drills:
            raise ValueError(f"two drills are called {name}")
        shows = " ".join((run.__doc__ or "").split())
        _drills[name] = Drill(row, name, broke, shows, run, exits, needs, revives)
        return run

    return declare


def load(*, controls: bool = False) -> list[Drill]:
    """Every drill, by row. Django must be configured."""
    for theme in (*THEMES, "controls"):
        importlib.import_module(f"tests.drills.{theme}")
    return sorted(
        (each for each in _drills.values() if controls or each.row), key=lambda each: (each.row, each.name)
    )


def chosen(drills: Sequence[Drill], wanted: Sequence[str]) -> list[Drill]:
    """Those of a row, or with a name that begins so. Raises ValueError for a wish that names none."""
    for wish in wanted:
        if not any(_names(wish, each) for each in drills):
            raise ValueError(f"no drill is called {wish}")
    return [each for each in drills if not wanted or any(_names(wish, each) for wish in wanted)]


def _names(wish: str, each: Drill) -> bool:
    return wish == str(each.row) or (not wish.isdigit() and each.name.startswith(wish))
