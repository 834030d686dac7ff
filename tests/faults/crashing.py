"""A program of Robson's that dies at a crash point.

`python -m tests.faults.crashing MARK WHO POINT -- PROGRAM`, where PROGRAM is what would come after `python`:
`manage.py runconsumer`, or `-m celery -A robson worker`. The first of its processes that reaches the point
leaves the file MARK, and dies by SIGKILL; whoever is started after it lives.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import cast

import django

from tests.faults import crash_arming
from tests.faults.crash_lab import point_of
from tests.faults.crash_points import Who


def main() -> None:
    mark, who, name, _, *program = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "robson.settings")
    django.setup()
    crash_arming.arm(point_of(name, cast(Who, who)), Path(mark))
    if program[0] == "-m":
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = program
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main()
