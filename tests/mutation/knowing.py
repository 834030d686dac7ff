"""Which tests are worth a try: those that pass without a mutant, and execute its line."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path

from tests.mutation.forking import Line, Ran
from tests.mutation.mutants import Mutant

_CODE = ("robson", "trading", "safetynet", "simulator", "tests")


class Knowledge:
    """How long each test takes (s), and which lines it executes. Kept in a file until its code changes.

    `failing` are the tests that do not pass as it is, and why.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._path, self._root = path, root
        self._state = _state_of(root)
        self._executed: dict[str, list[Line]] = {}
        self._executing: dict[Line, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failing: dict[str, str] = {}
        kept = json.loads(path.read_text()) if path.exists() else {}
        for test, (fingerprint, seconds, executed) in kept.items():
            if fingerprint == self._fingerprint(test):
                self._add(test, seconds, [(file, line) for file, line in executed])

    def has(self, test: str) -> bool:
        return test in self.seconds

    def learn(self, ran: Ran) -> None:
        if ran.passed:
            self._add(ran.test, ran.seconds, sorted(ran.executed))
        else:
            self.failing[ran.test] = ran.why

    def keep(self) -> None:
        rows = {
            test: (self._fingerprint(test), self.seconds[test], executed)
            for test, executed in self._executed.items()
        }
        self._path.write_text(json.dumps(rows))

    def tests_for(self, mutant: Mutant) -> set[str]:
        """Those that execute its line; those that execute the file for what is executed at import."""
        if not mutant.definition:
            return self._executing.get((mutant.file, mutant.line), set())
        return set().union(*(tests for (file, _), tests in self._executing.items() if file == mutant.file))

    def _fingerprint(self, test: str) -> str:
        own = self._root / test.partition("::")[0]
        return hashlib.sha256(self._state + own.read_bytes()).hexdigest() if own.exists() else ""

    def _add(self, test: str, seconds: float, executed: list[Line]) -> None:
        self.seconds[test], self._executed[test] = seconds, executed
        for line in executed:
            self._executing[line].add(test)


def _state_of(root: Path) -> bytes:
    """Of all code but the tests' own."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _CODE for path in (root / folder).rglob("*.py")):
        if path.parent != Path(__file__).parent and not path.name.startswith("test_"):
            digest.update(path.read_bytes())
    return digest.digest()
