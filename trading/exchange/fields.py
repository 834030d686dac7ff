"""Reading one field of an answer, strictly: what is missing or malformed is named, never guessed."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from trading.exchange.errors import BadAnswer

# Binance prints plain decimals. "NaN", "1e5", "-1" and " 1" are not numbers that it sends.
_PLAIN_NUMBER = re.compile(r"[0-9]{1,24}(?:\.[0-9]{1,24})?", re.ASCII)

Row = Mapping[str, Any]


def row(value: object, what: str) -> Row:
    if not isinstance(value, dict):
        raise BadAnswer(f"{what} is not an object: {_short(value)}")
    return value


def rows(value: object, what: str) -> Iterator[Row]:
    for index, item in enumerate(items(value, what)):
        yield row(item, f"{what}[{index}]")


def items(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadAnswer(f"{what} is not a list: {_short(value)}")
    return value


def present(source: Row, name: str) -> Any:
    if name not in source:
        raise BadAnswer(f"{name} is missing")
    return source[name]


def text(source: Row, name: str) -> str:
    value = present(source, name)
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"{name} is not a text: {_short(value)}")
    return value


def flag(source: Row, name: str) -> bool:
    value = present(source, name)
    if not isinstance(value, bool):
        raise BadAnswer(f"{name} is neither true nor false: {_short(value)}")
    return value


def whole(source: Row, name: str) -> int:
    """A whole number from 0, as a number or as digits: cancelled margin orders carry ids as text."""
    value = present(source, name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise BadAnswer(f"{name} is not a whole number: {_short(value)}")


def amount(source: Row, name: str) -> Decimal:
    """A plain decimal from 0 upwards."""
    return number(present(source, name), name)


def positive(source: Row, name: str) -> Decimal:
    value = amount(source, name)
    if value == 0:
        raise BadAnswer(f"{name} is zero")
    return value


def number(value: object, name: str) -> Decimal:
    if not isinstance(value, str) or not _PLAIN_NUMBER.fullmatch(value):
        raise BadAnswer(f"{name} is not a plain number: {_short(value)}")
    return Decimal(value)


def _short(value: object) -> str:
    return repr(value)[:80]
