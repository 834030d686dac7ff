"""What a check found, by name."""

from collections.abc import Callable, Sequence

from robson.doctor.findings import Finding, Verdict

OK, WARNING, FAILED, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.FAILED, Verdict.SKIPPED


def verdicts(check: Callable[[], Sequence[Finding]]) -> dict[str, Verdict]:
    """By name; the worst where there are several."""
    order = [SKIPPED, OK, WARNING, FAILED]
    found: dict[str, Verdict] = {}
    for one in check():
        worst = max(found.get(one.name, SKIPPED), one.verdict, key=order.index)
        found[one.name] = worst
    return found


def bad(check: Callable[[], Sequence[Finding]]) -> Finding:
    """The only warning or failure. It says what to do."""
    (one,) = (one for one in check() if one.verdict in {WARNING, FAILED})
    assert one.advice.endswith((".", "?"))
    return one
