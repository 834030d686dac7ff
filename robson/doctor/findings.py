"""What a check comes to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` says in one sentence what to do about it."""

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    What `run` raises, and the time it does not answer in, is a failure by this name; unless something in
    `needs` has failed, which then is the one thing to be told.
    """

    name: str
    run: Callable[[], Sequence[Finding]]
    needs: tuple[str, ...] = ()


def ok(name: str, detail: str) -> Finding:
    return Finding(name, Verdict.OK, detail)


def warning(name: str, detail: str, advice: str) -> Finding:
    return Finding(name, Verdict.WARNING, detail, advice)


def failed(name: str, detail: str, advice: str) -> Finding:
    return Finding(name, Verdict.FAILED, detail, advice)


def skipped(name: str, detail: str) -> Finding:
    return Finding(name, Verdict.SKIPPED, detail)


def graded(
    name: str, value: float, detail: str, advice: str, *, warn_above: float, fail_above: float | None = None
) -> Finding:
    """A number that should be small."""
    if fail_above is not None and value > fail_above:
        return failed(name, detail, advice)
    return warning(name, detail, advice) if value > warn_above else ok(name, detail)
