"""Put other code into modules that are already imported, for as long as this process lives.

What is inside a function is swapped in the function itself, so that everybody who holds it is concerned. What
is executed once, at import, is executed again, and its new objects are handed to whoever imported the old.
"""

import ast
import gc
import sys
from collections.abc import Callable, Iterator
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutation.mutants import Mutant

HIT = "__is_executed__"


class Garden:
    """The modules under test, as this process has imported them."""

    def __init__(self, root: Path, sources: dict[str, bytes]) -> None:
        self._sources = sources
        by_file = {getattr(module, "__file__", None): module for module in list(sys.modules.values())}
        self._modules: dict[str, ModuleType] = {file: by_file[str(root / file)] for file in sources}
        self._functions: dict[tuple[str, str], list[FunctionType]] = {}
        for function in gc.get_objects():
            # Not `isinstance`: it would ask a weak proxy, whose object may be gone.
            if type(function) is FunctionType:
                code = function.__code__
                self._functions.setdefault((code.co_filename, code.co_qualname), []).append(function)

    def plant(self, mutant: Mutant) -> None:
        """Make the mutant what everybody runs."""
        module = self._modules[mutant.file]
        tree = ast.parse(mutant.applied(self._sources[mutant.file]))
        if mutant.definition:
            _execute_again(module, tree.body[mutant.statement])
        else:
            self._swap(module, tree, mutant.statement)
        self.forget_results()

    def watch(self, mutants: list[Mutant], tell: Callable[[str, int], None]) -> None:
        """No mutant: the code as it is, by the same means, with `tell(file, line)` at each statement."""
        for file, module in self._modules.items():
            setattr(module, HIT, tell)
            tree = _telling(ast.parse(self._sources[file]), file)
            again = {mutant.statement for mutant in mutants if mutant.file == file and mutant.definition}
            for number, statement in enumerate(tree.body):
                if number in again:
                    _execute_again(module, statement)
                self._swap(module, tree, number)
        self.forget_results()

    def _swap(self, module: ModuleType, tree: ast.Module, number: int) -> None:
        top = ast.Module([tree.body[number]], [])
        for code in _functions_in(compile(top, str(module.__file__), "exec")):
            for function in self._functions.get((code.co_filename, code.co_qualname), []):
                function.__code__ = code

    def forget_results(self) -> None:
        """What the code under test has computed once and kept: who needs it executes it."""
        for module in self._modules.values():
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _functions_in(code: CodeType) -> Iterator[CodeType]:
    """Functions and methods; what is defined inside of one comes with it."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & CO_OPTIMIZED:
                yield inner
            else:
                yield from _functions_in(inner)


def _execute_again(module: ModuleType, statement: ast.stmt) -> None:
    before = dict(vars(module))
    exec(compile(ast.Module([statement], []), str(module.__file__), "exec"), vars(module))  # noqa: S102 (a mutant)
    changed = {name: new for name, new in vars(module).items() if before.get(name) is not new}
    for other in list(sys.modules.values()):
        names = getattr(other, "__dict__", {})
        for name, new in changed.items():
            if name in before and names.get(name) is before[name]:
                names[name] = new


def _telling(tree: ast.Module, file: str) -> ast.Module:
    """Each statement inside a function says that it is executed, before it is."""
    for function in _outermost(tree):
        for node in ast.walk(function):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list):
                    setattr(node, name, list(_told(block, file)))
    return ast.fix_missing_locations(tree)


def _outermost(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef):
            yield statement
        elif isinstance(statement, ast.ClassDef):
            yield from _outermost(statement)


def _told(block: list[ast.stmt], file: str) -> Iterator[ast.stmt]:
    for statement in block:
        (call,) = ast.parse(f"{HIT}({file!r}, {statement.lineno})").body
        yield ast.copy_location(call, statement)
        yield statement
