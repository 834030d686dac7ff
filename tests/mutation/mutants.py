"""All mutants of a file: what differs, and where."""

import ast
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.mutation.rewriting import Rewrite, is_log_call, rewrites

_NEVER = (ast.Import, ast.ImportFrom, ast.Raise)
_UNCHANGED_FIELDS = {"annotation", "returns", "bases", "keywords"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one file, as bytes from `start` to `end`.

    `line` is that of the innermost statement. `definition`: the change is to what is executed once, when the
    module is imported: it is in the top-level statement number `statement`.
    """

    file: str
    place: str
    line: int
    operator: str
    start: int
    end: int
    text: str
    statement: int
    definition: bool
    key: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]

    def diff(self, source: bytes) -> list[str]:
        """The lines that differ, with their sign."""
        before, after = (text.decode().splitlines() for text in (source, self.applied(source)))
        return list(difflib.unified_diff(before, after, n=0, lineterm=""))[3:]


@dataclass(frozen=True, slots=True)
class _Where:
    """How the walk got here."""

    place: tuple[str, ...] = ()
    line: int = 0
    statement: int = 0
    in_body: bool = False


def mutants_of(file: str, source: bytes) -> list[Mutant]:
    """In the order of the file. Log lines, messages, annotations and docstrings are left alone."""
    tree = ast.parse(source)
    found: dict[str, Mutant] = {}
    for number, statement in enumerate(tree.body):
        for mutant in _walk(statement, _Where(statement=number), _File(file, source)):
            if mutant.applied(source) != source:
                found.setdefault(mutant.key, mutant)
    return sorted(found.values(), key=lambda mutant: (mutant.start, mutant.end, mutant.text))


class _File:
    """A source that is addressed by lines and columns."""

    def __init__(self, name: str, source: bytes) -> None:
        self.name, self.source = name, source
        lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in lines:
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self._starts[_number(node, "lineno") - 1] + _number(node, "col_offset")

    def end(self, node: ast.AST) -> int:
        return self._starts[_number(node, "end_lineno") - 1] + _number(node, "end_col_offset")

    def text(self, node: ast.AST) -> str:
        return self.source[self.start(node) : self.end(node)].decode() if hasattr(node, "lineno") else ""


def _number(node: ast.AST, name: str) -> int:
    return int(getattr(node, name))


def _walk(node: ast.AST, where: _Where, file: _File) -> Iterator[Mutant]:
    if is_log_call(node) or _is_docstring(node):
        return
    if isinstance(node, ast.stmt):
        where = replace(where, line=node.lineno)
    for rewrite in rewrites(node, file.text(node)):
        yield _mutant(file, where, rewrite)
    if isinstance(node, (*_NEVER, ast.JoinedStr)):
        return
    for name, child in _children(node):
        yield from _walk(child, _inside(node, name, where), file)


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    skipped = _UNCHANGED_FIELDS if isinstance(node, ast.ClassDef) else {"annotation", "returns"}
    if isinstance(node, ast.ClassDef):
        skipped = skipped | {"decorator_list"}
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield name, child


def _inside(node: ast.AST, field: str, where: _Where) -> _Where:
    if not isinstance(node, ast.FunctionDef | ast.ClassDef) or field == "decorator_list":
        return where
    in_body = where.in_body or (field == "body" and not isinstance(node, ast.ClassDef))
    return replace(where, place=(*where.place, node.name), in_body=in_body)


def _mutant(file: _File, where: _Where, rewrite: Rewrite) -> Mutant:
    place = ".".join(where.place) or "(module)"
    start, end = file.start(rewrite.first), file.end(rewrite.last)
    # Stays the same when other parts of the file change.
    line = file.source[file.source.rfind(b"\n", 0, start) + 1 : file.source.find(b"\n", end)]
    column = start - file.source.rfind(b"\n", 0, start)
    what = f"{file.name}|{place}|{rewrite.operator}|{column}|{rewrite.text}|".encode() + line
    return Mutant(
        file=file.name,
        place=place,
        line=rewrite.first.lineno if isinstance(rewrite.first, ast.stmt) else where.line,
        operator=rewrite.operator,
        start=start,
        end=end,
        text=rewrite.text,
        statement=where.statement,
        definition=not where.in_body,
        key=hashlib.sha256(what).hexdigest()[:16],
    )


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
