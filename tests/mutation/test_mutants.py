"""A mutation run says something only if its mutants are different code, and everybody runs them."""

import importlib
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.planting import Garden

SOURCE = b'''"""A module."""
from functools import cache

LIMIT = 3


@cache
def is_due(age: int, *, strict: bool = True) -> bool:
    """A docstring."""
    if age < 0 and strict:
        raise ValueError("no such age")
    return age >= LIMIT
'''
USER = b"""from aged import LIMIT, is_due
"""


def changes(source: str) -> set[str]:
    return {mutant.diff(source.encode())[-1] for mutant in mutants_of("a.py", source.encode())}


def test_a_comparison_is_moved_past_its_boundary_and_turned_round() -> None:
    assert {"+x = (a <= b)", "+x = (a >= b)"} <= changes("x = a < b")


def test_each_part_of_a_condition_is_left_out_once() -> None:
    assert {"+x = a", "+x = b", "+x = (a or b)"} <= changes("x = a and b")


def test_each_condition_of_a_query_is_left_out_once() -> None:
    found = changes("x = rows.filter(pk=1, state=old).update(state=new)")
    assert {
        "+x = rows.filter(state=old).update(state=new)",
        "+x = rows.filter(pk=1).update(state=new)",
    } <= found


def test_locks_are_left_out() -> None:
    assert "+x = rows.get(pk=one)" in changes("x = rows.select_for_update().get(pk=one)")
    assert '+x = "SELECT id FROM slot"' in changes('x = "SELECT id FROM slot FOR UPDATE"')


def test_an_error_is_not_handled_and_not_raised() -> None:
    found = changes("try:\n    f()\nexcept E:\n    x = 1\n    raise V\n")
    assert {"+    raise", "+    pass"} <= found


def test_texts_for_people_and_types_are_left_alone() -> None:
    assert changes('"""A text."""\nlog.warning("is %s", 1 + 1)\nraise V(f"{1 + 1}")\nx: list[1]') == {"+pass"}


def test_the_same_mutant_has_the_same_key_when_the_file_grows_above_it() -> None:
    keys = {mutant.key for mutant in mutants_of("a.py", SOURCE)}
    later = SOURCE.replace(b"LIMIT = 3\n", b"LIMIT = 3\nNAME = 'one'\n")
    assert {mutant.key for mutant in mutants_of("a.py", later)} == keys


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Garden]:
    (tmp_path / "aged.py").write_bytes(SOURCE)
    (tmp_path / "user.py").write_bytes(USER)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("aged", "user"):
        importlib.import_module(name)
    try:
        yield Garden(tmp_path, {"aged.py": SOURCE})
    finally:
        for name in ("aged", "user"):
            del sys.modules[name]


def test_a_weak_proxy_whose_object_is_gone_hinders_nobody(tmp_path: Path) -> None:
    gone = {"proxy": weakref.proxy(Path.cwd)}
    with pytest.raises(ReferenceError):
        isinstance(gone["proxy"], FunctionType)
    Garden(tmp_path, {})


def mutant(text: str) -> Mutant:
    (found,) = [each for each in mutants_of("aged.py", SOURCE) if text in each.diff(SOURCE)[-1]]
    return found


def test_whoever_imported_a_function_runs_the_mutant_and_nothing_computed_before(garden: Garden) -> None:
    user = sys.modules["user"]
    assert user.is_due(3)
    garden.plant(mutant("age > LIMIT"))
    assert not user.is_due(3)
    assert user.is_due(4)


def test_whoever_imported_a_constant_has_the_mutant(garden: Garden) -> None:
    garden.plant(mutant("LIMIT = 4"))
    assert sys.modules["user"].LIMIT == 4
    assert not sys.modules["user"].is_due(3)


def test_a_default_of_a_parameter_is_mutated(garden: Garden) -> None:
    garden.plant(mutant("strict: bool = False"))
    assert not sys.modules["user"].is_due(-1)


def test_watched_code_does_the_same_and_tells_each_statement(garden: Garden) -> None:
    told: set[tuple[str, int]] = set()
    garden.watch(mutants_of("aged.py", SOURCE), lambda file, line: told.add((file, line)))
    assert sys.modules["user"].is_due(3)
    assert told == {("aged.py", 9), ("aged.py", 10), ("aged.py", 12)}
    with pytest.raises(ValueError, match="no such age"):
        sys.modules["user"].is_due(-1)
    assert ("aged.py", 11) in told
