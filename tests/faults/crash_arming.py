"""Arms a crash point from outside: wraps the named function so that its caller dies by SIGKILL, once."""

import functools
import importlib
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.crash_points import Point


def resolve(name: str) -> tuple[Any, str]:
    """What holds the attribute that `module:attribute` names. Raises AttributeError if there is none."""
    module, _, path = name.partition(":")
    holder: Any = importlib.import_module(module)
    *parents, attribute = path.split(".")
    for parent in parents:
        holder = getattr(holder, parent)
    getattr(holder, attribute)
    return holder, attribute


def replace(name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `make(original)` in the place of a function, for as long as this process lives."""
    holder, attribute = resolve(name)
    original = getattr(holder, attribute)
    setattr(holder, attribute, functools.wraps(original)(make(original)))


def arm(point: Point, mark: Path) -> None:
    """Let the first process that reaches the point leave the file `mark`, and die. Those after it pass."""
    begun = 0

    def begin() -> None:
        nonlocal begun
        begun += 1

    def around(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if not point.since:
                begin()
            if point.when == "before" and begun >= point.nth:
                die_once(mark)
            answer = original(*args, **options)
            if point.when == "after" and begun >= point.nth:
                die_once(mark)
            return answer

        return call

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            begin()
            return original(*args, **options)

        return call

    replace(point.at, around)
    if point.since:
        replace(point.since, counted)


def die_once(mark: Path) -> None:
    """SIGKILL, for the first who comes here."""
    with suppress(FileExistsError):
        mark.touch(exist_ok=False)
        os.kill(os.getpid(), signal.SIGKILL)
