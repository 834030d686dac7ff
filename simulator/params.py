"""Reading request parameters: Binance's own refusals for whatever is missing, empty or malformed."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from simulator import errors

NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER = r"^[0-9]{1,20}$"
# In Java's spelling: letters of any alphabet, but no lower-case Latin ones.
SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
LONGEST_LONG = 2**63 - 1

_NUMBER = re.compile(NUMBER, re.ASCII)
_INTEGER = re.compile(INTEGER, re.ASCII)
_SYMBOL = re.compile(r"(?:[^\Wa-z]|[.-]){1,50}")
_CLIENT_ID = re.compile(CLIENT_ID, re.ASCII)

Params = Mapping[str, str]


def read_params(query: str, body: str) -> dict[str, str]:
    """All parameters of a request; the query string wins over the body.

    Raises BinanceError -1101 when one of the two names a parameter twice.
    """
    return {**_pairs(body), **_pairs(query)}


def _pairs(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise errors.BinanceError(-1101, "Too many parameters sent for this endpoint.") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise errors.duplicate_values()
    return found


def refuse_unknown(params: Params, known: Collection[str]) -> None:
    """Raise -1104 when a parameter was sent that the endpoint does not read."""
    read = [name for name in params if name in known]
    if len(read) != len(params):
        raise errors.unread(read, params)


def text(params: Params, name: str) -> str | None:
    """The parameter's text, or None when it was not sent. Raises -1105 when it was sent empty."""
    value = params.get(name)
    if value == "":
        raise errors.empty(name)
    return value


def required(params: Params, name: str) -> str:
    """The parameter's text. Raises -1102 when it is missing or empty."""
    value = params.get(name)
    if not value:
        raise errors.missing(name)
    return value


def number(params: Params, name: str) -> Decimal | None:
    """A non-negative fixed-point number, or None. Raises -1100 for anything else (`1e-05`, `NaN`, `-1`)."""
    value = text(params, name)
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise errors.illegal_characters(name, NUMBER)
    return Decimal(value)


def positive(params: Params, name: str) -> Decimal | None:
    """As `number`, and raises -1013 for zero."""
    value = number(params, name)
    if value is not None and value == 0:
        raise errors.BinanceError(-1013, f"Invalid {name}.")
    return value


def integer(params: Params, name: str) -> int | None:
    """A whole number, or None. Raises -1100 for anything else, -1108 past 64 bits."""
    value = text(params, name)
    if value is None:
        return None
    if not _INTEGER.fullmatch(value):
        raise errors.illegal_characters(name, INTEGER)
    whole = int(value)
    if whole > LONGEST_LONG:
        raise errors.overflow(name)
    return whole


def limit(params: Params, *, default: int, most: int) -> int:
    """The `limit` parameter, at most `most`. Raises -1130 for zero."""
    value = integer(params, "limit")
    if value is None:
        return default
    if value == 0:
        raise errors.invalid_data("limit")
    return min(value, most)


def symbol(params: Params) -> str:
    """The mandatory `symbol`. Raises -1102 when missing, -1100 when malformed."""
    value = required(params, "symbol")
    if not _SYMBOL.fullmatch(value):
        raise errors.illegal_characters("symbol", SYMBOL)
    return value


def client_id(params: Params, name: str) -> str | None:
    """A client order id, or None. Raises -1100 for characters outside Binance's range."""
    value = text(params, name)
    if value is not None and not _CLIENT_ID.fullmatch(value):
        raise errors.illegal_characters(name, CLIENT_ID)
    return value


def flag(params: Params, name: str, *, default: bool = False) -> bool:
    """`TRUE` or `FALSE` in any case. Raises -1130 for anything else."""
    value = text(params, name)
    if value is None:
        return default
    if value.upper() not in ("TRUE", "FALSE"):
        raise errors.invalid_data(name)
    return value.upper() == "TRUE"


def choice(params: Params, name: str, allowed: Collection[str], *, default: str) -> str:
    """One of `allowed`. Raises -1130 for anything else."""
    value = text(params, name)
    if value is None:
        return default
    if value not in allowed:
        raise errors.invalid_data(name)
    return value
