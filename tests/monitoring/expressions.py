"""PromQL, read as far as needed to know what an expression is about. Raises AssertionError for nonsense."""

import re
from dataclasses import dataclass, field

FUNCTIONS = {
    "clamp_min",
    "count",
    "histogram_quantile",
    "increase",
    "max",
    "rate",
    "sum",
    "time",
    "vector",
}
_OPERATORS = {"and", "or", "unless", "bool", "group_left"}
_GROUPING = re.compile(r"\b(?:by|on|without|group_left)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-z_:]+)\{([^}]*)\}")
_MATCHER = re.compile(r'\s*([a-z_]+)\s*(=~|!~|=|!=)\s*"([^"]*)"\s*')
_DURATION = re.compile(r"\[[0-9]+[smhd]\]")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass
class Expression:
    """Metrics by name, with the label values that they are selected by, and the labels of groupings."""

    metrics: set[str] = field(default_factory=set)
    selected: list[tuple[str, str, str, str]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)


def parse(text: str) -> Expression:
    found = Expression()
    _assert_balanced(text)
    for name, matchers in _SELECTOR.findall(text):
        for matcher in matchers.split(","):
            match = _MATCHER.fullmatch(matcher)
            assert match, f"not a matcher: {matcher!r} in {text!r}"
            found.selected.append((name, *match.groups()))
    rest = _SELECTOR.sub(r"\1", text)
    for labels in _GROUPING.findall(rest):
        found.grouped |= set(_WORD.findall(labels))
    rest = _DURATION.sub("", _GROUPING.sub("", rest))
    assert not re.search(r'[\[\]{}"$]', rest), f"left over: {rest!r}"
    for word in _WORD.finditer(rest):
        called = rest[word.end() :].lstrip().startswith("(")
        if called:
            assert word[0] in FUNCTIONS, f"not a function: {word[0]} in {text!r}"
        elif word[0] not in FUNCTIONS | _OPERATORS:
            found.metrics.add(word[0])
    return found


def _assert_balanced(text: str) -> None:
    open_: list[str] = []
    for character in text:
        if character in "([{":
            open_.append(character)
        elif character in ")]}":
            assert open_, text
            assert open_.pop() + character in {"()", "[]", "{}"}, text
    assert not open_, text
