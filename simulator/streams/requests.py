"""What a client may say on a market stream, and the exchange's answers."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.streams.names import is_well_formed

MAX_STREAMS = 1_024
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_TEXT_ID = re.compile(r"^[A-Za-z0-9_-]{1,36}$", re.ASCII)
_LONGEST = 2**63


@dataclass(frozen=True, slots=True)
class Request:
    """One well-formed request: `names` for (un)subscribing, `combined` for setting that property."""

    method: str
    id: int | str | None
    names: tuple[str, ...] = ()
    combined: bool | None = None


class RefusedError(Exception):
    """The exchange's refusal of a message. A `fatal` one ends the connection."""

    def __init__(self, code: int, msg: str, *, id: int | str | None = None, fatal: bool = False) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.id = id
        self.fatal = fatal

    def body(self) -> dict[str, Any]:
        """The JSON of the answer; the id is named only when it was understood."""
        answer: dict[str, Any] = {"error": {"code": self.code, "msg": self.msg}}
        return answer if self.id is None else {**answer, "id": self.id}


def parse(text: str) -> Request:
    """Read one message. Raises RefusedError with the exchange's own code and text."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise RefusedError(3, "Invalid JSON: expected value at line 1 column 1") from error
    if not isinstance(message, dict):
        raise RefusedError(2, "Invalid request: expected a JSON object")
    message_id = _id(message)
    method = message.get("method")
    if method is None:
        raise RefusedError(2, f"Invalid request: missing field `method` at line 1 column {len(text)}")
    if method not in _METHODS:
        expected = ", ".join(f"`{name}`" for name in _METHODS)
        position = f"at line 1 column {text.find(str(method)) + len(str(method)) + 1}"
        raise RefusedError(
            2, f"Invalid request: unknown variant `{method}`, expected one of {expected} {position}"
        )
    return _with_params(method, message_id, message.get("params"))


def _id(message: dict[str, Any]) -> int | str | None:
    value = message.get("id")
    whole = isinstance(value, int) and not isinstance(value, bool) and -_LONGEST <= value < _LONGEST
    if value is None or whole or (isinstance(value, str) and _TEXT_ID.fullmatch(value)):
        return value
    raise RefusedError(2, "Invalid request: request ID must be an unsigned integer")


def _with_params(method: str, message_id: int | str | None, params: Any) -> Request:
    if method == "LIST_SUBSCRIPTIONS":
        if params:
            raise RefusedError(2, "Invalid request: too many parameters", id=message_id)
        return Request(method, message_id)
    if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
        return Request(method, message_id, names=_names(params, message_id))
    return _property(method, message_id, params)


def _names(params: Any, message_id: int | str | None) -> tuple[str, ...]:
    if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
        raise RefusedError(2, "Invalid request: params must be a list of stream names", id=message_id)
    if not all(is_well_formed(name) for name in params):
        raise RefusedError(2, "Invalid request: invalid stream", id=message_id, fatal=True)
    return tuple(params)


def _property(method: str, message_id: int | str | None, params: Any) -> Request:
    values = params if isinstance(params, list) else []
    if not values or not isinstance(values[0], str):
        raise RefusedError(2, "Invalid request: property name must be a string", id=message_id)
    if len(values) > (2 if method == "SET_PROPERTY" else 1):
        raise RefusedError(2, "Invalid request: too many parameters", id=message_id)
    if values[0] != "combined":
        raise RefusedError(0, "Unknown property", id=message_id)
    if method == "GET_PROPERTY":
        return Request(method, message_id)
    if len(values) != 2 or not isinstance(values[1], bool):
        raise RefusedError(1, "Invalid value type: expected Boolean", id=message_id)
    return Request(method, message_id, combined=values[1])
