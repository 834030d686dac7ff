"""A price as a feed brings it, and how to read one out of an exchange's own event."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

TRADE_EVENTS = frozenset({"trade", "aggTrade"})
# Time stamps above this count microseconds, as newer public dumps do; below it, milliseconds.
_MICROSECONDS_FROM = 10**14


class FeedError(Exception):
    """A feed that cannot be played. The text names the file and the line."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A price in quote currency at `at_us`, microseconds on the source's own clock; quantity in base."""

    symbol: str
    price: Decimal
    at_us: int
    quantity: Decimal | None = None
    buyer_is_maker: bool = False


def positive(text: Any) -> Decimal:
    """A price or quantity. Raises ValueError unless it is a finite number above zero."""
    if not isinstance(text, str | int | Decimal) or isinstance(text, bool):
        raise ValueError(f"not a number: {text!r}")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {text!r}") from error
    if not (value.is_finite() and value > 0):
        raise ValueError(f"not above zero: {text!r}")
    return value


def microseconds(stamp: str | int) -> int:
    """A time stamp in milliseconds or microseconds, as microseconds. Raises ValueError unless above zero."""
    value = int(stamp)
    if value <= 0:
        raise ValueError(f"not a time: {stamp!r}")
    return value if value >= _MICROSECONDS_FROM else value * 1_000


def event_of(message: Any) -> dict[str, Any]:
    """The event of a message, with or without the combined wrapper. Raises ValueError without one."""
    if isinstance(message, dict) and isinstance(message.get("data"), dict):
        message = message["data"]
    if not isinstance(message, dict):
        raise ValueError("not an event")
    return message


def tick_of(event: dict[str, Any], *, at_us: int) -> Tick:
    """The price of a trade or aggTrade event. Raises ValueError or KeyError for one that makes no sense."""
    if not isinstance(event["s"], str) or not isinstance(event["m"], bool):
        raise ValueError("not a trade")
    return Tick(event["s"], positive(event["p"]), at_us, positive(event["q"]), event["m"])
