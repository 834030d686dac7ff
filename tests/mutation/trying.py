"""Try mutants: which tests execute what, and whether one of them notices."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from tests.mutation.forking import Fork, Line, Ran, Stuck
from tests.mutation.knowing import Knowledge
from tests.mutation.mutants import Mutant
from tests.mutation.planting import Garden

# Brings up what all tests share. Not among the others: what its module keeps is put away after it.
FIRST = "tests/mutation/test_everything_is_up.py"
# How long a test may take, beside what it took without a mutant.
PATIENCE_S, PATIENCE = 20.0, 10.0
WATCHING_S = 200.0


class Outcome(NamedTuple):
    """`how`: killed by a failing test, a time-out or a crash; survived; or no test executes it."""

    how: str
    by: str = ""

    @property
    def killed(self) -> bool:
        return self.how in {"killed", "time-out", "crash"}


class Laboratory:
    """The tests and the modules to plant mutants in. The tests of one mutant take `budget` (s) at most."""

    def __init__(self, session: pytest.Session, garden: Garden, known: Knowledge, *, budget: float) -> None:
        (self._first,) = [item for item in session.items if item.nodeid.startswith(FIRST)]
        self._items = {item.nodeid: item for item in session.items if item is not self._first}
        self._session, self._garden, self._budget = session, garden, budget
        self._killers: dict[str, Counter[str]] = defaultdict(Counter)
        self.known = known

    def warm_up(self) -> None:
        """Servers, database and simulator come up here, once, in the process that is forked from."""
        following = next(iter(self._items.values()))
        self._first.ihook.pytest_runtest_protocol(item=self._first, nextitem=following)

    def watch(self, mutants: list[Mutant]) -> None:
        """Run all tests without a mutant, but by the means that mutants are planted by."""

        def prepare(executed: set[Line]) -> None:
            self._garden.watch(mutants, lambda file, line: executed.add((file, line)))

        waiting = [item for test, item in self._items.items() if not self.known.has(test)]
        while waiting:
            fork = Fork(self._session, self._first, prepare)
            for ran in fork.run(waiting, lambda _: WATCHING_S, to_the_end=True):
                if isinstance(ran, Ran):
                    self.known.learn(ran)
                else:
                    self.known.failing[ran.test] = ran.how
                waiting = waiting[1:]
        self.known.keep()

    def remember(self, mutant: Mutant, outcome: Outcome) -> None:
        """What has killed one mutant is likely to kill its neighbours."""
        if outcome.killed:
            self._killers[mutant.file][outcome.by] += 1
            self._killers[mutant.file + mutant.place][outcome.by] += 1

    def try_out(self, mutant: Mutant) -> Outcome:
        """Killed is a mutant by a test that fails with it, passes without it, and fails with it again."""
        tests = self._in_order(mutant, self.known.tests_for(mutant))
        if not tests:
            return Outcome("no test")
        while tests:
            found = self._first_failure(tests, mutant)
            if found is None:
                break
            test, how = found
            if not self._first_failure([test], None) and self._first_failure([test], mutant):
                return Outcome(how, test)
            tests = tests[tests.index(test) + 1 :]
        return Outcome("survived")

    def _first_failure(self, tests: list[str], mutant: Mutant | None) -> tuple[str, str] | None:
        """The test, and what became of it."""

        def prepare(_: set[Line]) -> None:
            if mutant is not None:
                self._garden.plant(mutant)

        items = [self._items[test] for test in tests]
        for ran in Fork(self._session, self._first, prepare).run(items, self._patience):
            if isinstance(ran, Stuck):
                self._clean_up()
                return ran.test, ran.how
            if not ran.passed:
                return ran.test, "killed"
        return None

    def _clean_up(self) -> None:
        list(Fork(self._session, self._first, lambda _: None).run([self._first], lambda _: 60.0))

    def _patience(self, test: str) -> float:
        return PATIENCE_S + PATIENCE * self.known.seconds.get(test, 0)

    def _in_order(self, mutant: Mutant, tests: Iterable[str]) -> list[str]:
        """First what killed mutants of the same function, then of the same file, then the quickest."""
        near, far = self._killers[mutant.file + mutant.place], self._killers[mutant.file]
        ordered = sorted(tests, key=lambda test: (-near[test], -far[test], self.known.seconds[test], test))
        spent, chosen = 0.0, list[str]()
        for test in ordered:
            spent += self.known.seconds[test]
            if chosen and spent > self._budget:
                break
            chosen.append(test)
        return chosen
