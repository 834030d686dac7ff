"""`python -m tests.mutation`: are the protections of the order protocol tested? Change the code, and see."""

import argparse
import hashlib
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.mutation.knowing import Knowledge
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import Garden
from tests.mutation.results import Results, table
from tests.mutation.trying import FIRST, Laboratory

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".robson"
NAMED = ["trading/execution.py", "trading/services.py", "safetynet/services.py"]
SPLIT_OFF = {
    "trading": "settling claims at_once single_statement planning recording evidence journal",
    "safetynet": "exits guarding acting poll observing inspecting looking domain",
}
FILES = NAMED + [f"{folder}/{name}.py" for folder, names in SPLIT_OFF.items() for name in names.split()]
TESTS = ["trading", "safetynet", "faults", "concurrency", "domain", "robson"]
# Kept for us, since pytest takes what is printed for what a test prints.
_TERMINAL = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")


class MutationRun:
    """A plugin that takes the place of pytest's own loop over the tests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.left: int | None = None
        self._garden: Garden | None = None

    def pytest_configure(self) -> None:
        from hypothesis import settings  # by now pytest has prepared its assertions

        settings.register_profile("mutants", database=None, derandomize=True)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        sources = {file: (ROOT / file).read_bytes() for file in self._options.only or FILES}
        every = [mutant for file, source in sources.items() for mutant in mutants_of(file, source)]
        chosen = _sample(every, self._options)
        known = Knowledge(KEPT / "mutants-tests.json", ROOT)
        self._garden = Garden(ROOT, sources)
        laboratory = Laboratory(session, self._garden, known, budget=self._options.budget)
        laboratory.warm_up()
        _say(f"{len(every)} mutants, {len(chosen)} to be tried; seeing what each test executes ...")
        laboratory.watch(chosen)
        for test, why in laboratory.known.failing.items():
            _say(f"fails without a mutant, and is left out: {test}", textwrap.indent(why[-600:], "    "))
        self.left = self._try_all(laboratory, chosen, sources)
        return True

    def pytest_runtest_setup(self) -> None:
        # Else only the first test to ask for a result that is kept would count as one that executes its code.
        if self._garden is not None:
            self._garden.forget_results()

    def _try_all(self, laboratory: Laboratory, chosen: list[Mutant], sources: dict[str, bytes]) -> int:
        results = Results(KEPT / "mutants.json")
        tried = []
        for number, mutant in enumerate(chosen, 1):
            outcome = results.of(mutant)
            if outcome is None or (self._options.again and not outcome.killed):
                began = time.monotonic()
                outcome = laboratory.try_out(mutant)
                results.add(mutant, outcome)
                seconds = f"{time.monotonic() - began:.1f} s"
                _say(f"{number}/{len(chosen)} {outcome.how} {_name(mutant)} ({seconds}) {outcome.by}")
            laboratory.remember(mutant, outcome)
            tried.append((mutant, outcome))
        left = [mutant for mutant, outcome in tried if not outcome.killed]
        for mutant in left:
            _say("", _name(mutant), *mutant.diff(sources[mutant.file]))
        _say("", table(tried, NAMED))
        return len(left)


def _sample(every: list[Mutant], options: argparse.Namespace) -> list[Mutant]:
    """The same ones for the same seed, whatever else has changed in the code; in the order of the files."""
    if options.sample is None:
        return every

    def draw(mutant: Mutant) -> bytes:
        return hashlib.sha256(f"{options.seed}:{mutant.key}".encode()).digest()

    drawn = set(sorted(every, key=draw)[: options.sample])
    return [mutant for mutant in every if mutant in drawn]


def _name(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line} {mutant.place}: {mutant.operator}"


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=_TERMINAL, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, help="try so many, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument(
        "--only", action="append", metavar="FILE", help="mutants of this file; can be repeated"
    )
    parser.add_argument("--tests", nargs="+", default=[f"tests/{name}" for name in TESTS], metavar="PATH")
    parser.add_argument("--again", action="store_true", help="try those again that were not killed so far")
    parser.add_argument("--budget", type=float, default=240.0, help="seconds of tests for one mutant")
    options = parser.parse_args()
    os.chdir(ROOT)
    run = MutationRun(options)
    switches = ["-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-m", "not processes"]
    code = pytest.main([FIRST, *options.tests, *switches], plugins=[run])
    return 0 if run.left is not None else int(code) or 1


if __name__ == "__main__":
    sys.exit(main())
