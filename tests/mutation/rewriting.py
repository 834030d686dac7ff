"""What a mutant changes: each piece of code has a few ways in which it could be wrong."""

import ast
import copy
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

Node = TypeVar("Node", bound=ast.AST)

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_TWINS = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Calls on a query without which it would lock nothing, or find more or others than it should.
_NARROWING = {"select_for_update", "filter", "exclude", "order_by"}
# Calls whose keyword arguments are conditions or columns, each of which can be left out.
_LISTING = {"filter", "exclude", "update", "Q", "advance"}
_SQL = re.compile(r"\b(SELECT|WHERE|FROM|AND|EXISTS)\b")
_SQL_REWRITES = {
    r"\bNOT EXISTS\b": "EXISTS",
    r"\bIS NOT NULL\b": "IS NULL",
    r"\bIS NULL\b": "IS NOT NULL",
    r"\bIS DISTINCT FROM\b": "IS NOT DISTINCT FROM",
    r"\bAND\b": "OR",
    r" FOR UPDATE\b": "",
    r" = ": " <> ",
    r" > ": " <= ",
}


class Rewrite(NamedTuple):
    """Code from the start of `first` to the end of `last`, and what to put in its place."""

    operator: str
    first: ast.AST
    last: ast.AST
    text: str


def rewrites(node: ast.AST, source: str) -> Iterator[Rewrite]:
    """The ways in which this piece of code, without its parts, could be wrong. `source` is its text."""
    if isinstance(node, ast.expr):
        for operator, new in _expressions(node):
            yield Rewrite(operator, node, node, _as_operand(new))
        for text in _statements_of_sql(node, source):
            yield Rewrite("sql", node, node, text)
    elif isinstance(node, ast.stmt):
        yield from _statements(node)
    yield from _conditions(node)
    if isinstance(node, ast.ExceptHandler):
        yield Rewrite("error not handled", node.body[0], node.body[-1], "raise")
    elif isinstance(node, ast.match_case):
        yield Rewrite("case left out", node.body[0], node.body[-1], "pass")


def is_log_call(node: ast.AST) -> bool:
    """`log.warning(...)` and its like, as a statement."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("log")))):
            return True
    return False


def _expressions(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Compare(ops=[op]):
            for other in _COMPARISONS[type(op)]:
                yield "comparison", _changed(node, ops=[other()])
        case ast.BoolOp(op, values):
            yield "and/or", _changed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield "operand left out", _changed(node, values=rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield "negation left out", operand
        case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC and not _is_text(left, right):
            yield "arithmetic", _changed(node, op=_ARITHMETIC[type(op)]())
        case ast.Constant(bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "constant", ast.Constant(value + 1)
        case ast.Call():
            yield from _calls(node)


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    match node.func:
        case ast.Name(name) if name in _TWINS:
            yield "twin function", _changed(node, func=ast.Name(_TWINS[name]))
        case ast.Attribute(value, name) if name in _NARROWING:
            yield f"{name} left out", value
    match node.func:
        case ast.Attribute(_, name) | ast.Name(name) if name in _LISTING and len(node.keywords) > 1:
            for at, keyword in enumerate(node.keywords):
                if keyword.arg not in {None, "at", "data"}:
                    yield "argument left out", _changed(node, keywords=_without(node.keywords, at))


def _statements(node: ast.stmt) -> Iterator[Rewrite]:
    match node:
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Continue() | ast.Break() | ast.AugAssign():
            yield Rewrite("statement left out", node, node, "pass")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript() | ast.Tuple([ast.Attribute(), *_])]):
            yield Rewrite("statement left out", node, node, "pass")
        case ast.Return(value) if value is not None and not isinstance(value, ast.Constant):
            yield Rewrite("return None", node, node, "return None")
        case ast.With(items=[ast.withitem(context, None)]):
            yield Rewrite("with left out", context, context, '__import__("contextlib").nullcontext()')
        case ast.FunctionDef(decorator_list=decorators):
            for each in decorators:
                if not (isinstance(each, ast.Name) and each.id in {"property", "contextmanager", "cache"}):
                    yield Rewrite("decorator left out", each, each, "(lambda function: function)")


def _conditions(node: ast.AST) -> Iterator[Rewrite]:
    match node:
        case ast.If(test) | ast.IfExp(test):
            yield Rewrite("always", test, test, "True")
            yield Rewrite("never", test, test, "False")
        case ast.While(test):
            yield Rewrite("never", test, test, "False")
        case ast.comprehension(ifs=tests):
            for test in tests:
                yield Rewrite("always", test, test, "True")


def _statements_of_sql(node: ast.expr, source: str) -> Iterator[str]:
    is_text = isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    if not is_text or not _SQL.search(source):
        return
    for pattern, new in _SQL_REWRITES.items():
        for found in re.finditer(pattern, source):
            yield source[: found.start()] + new + source[found.end() :]


def _changed(node: Node, **fields: object) -> Node:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _without(keywords: list[ast.keyword], at: int) -> list[ast.keyword]:
    return keywords[:at] + keywords[at + 1 :]


def _is_text(*operands: ast.expr) -> bool:
    return any(
        isinstance(each, ast.JoinedStr | ast.Tuple | ast.List)
        or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for each in operands
    )


def _as_operand(node: ast.expr) -> str:
    text = ast.unparse(node)
    risky = ast.BoolOp | ast.Compare | ast.BinOp | ast.IfExp | ast.Lambda | ast.UnaryOp | ast.NamedExpr
    return f"({text})" if isinstance(node, risky) else text
