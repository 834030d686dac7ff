"""User data of a margin account: hints to look, never the truth itself. What happened is asked over REST."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something happened to an order. `execution` is Binance's execution type, such as TRADE."""

    symbol: str
    order_id: str
    client_order_id: str
    execution: str
    status: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class BalanceEvent:
    """Balances of the isolated pair `symbol` changed, at least of these assets."""

    symbol: str
    assets: tuple[str, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class StreamTerminated:
    """The subscription ran out: nothing more will come on it."""


UserEvent = OrderEvent | BalanceEvent

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Execution(msgspec.Struct, tag_field="e", tag="executionReport"):
    symbol: _Text = msgspec.field(name="s")
    order_id: int = msgspec.field(name="i")
    client_order_id: _Text = msgspec.field(name="c")
    execution: _Text = msgspec.field(name="x")
    status: _Text = msgspec.field(name="X")
    time_ms: int = msgspec.field(name="E")
    cancelled_client_order_id: str | None = msgspec.field(name="C", default=None)


class _Balance(msgspec.Struct):
    asset: _Text = msgspec.field(name="a")


class _Account(msgspec.Struct, tag_field="e", tag="outboundAccountPosition"):
    time_ms: int = msgspec.field(name="E")
    balances: list[_Balance] = msgspec.field(name="B")


class _Terminated(msgspec.Struct, tag_field="e", tag="eventStreamTerminated"):
    pass


def user_event(event: Any, *, symbol: str) -> UserEvent | StreamTerminated | None:
    """One event of the subscription for the pair `symbol`; None for other kinds and malformed ones."""
    try:
        found = msgspec.convert(event, _Execution | _Account | _Terminated)
    except msgspec.ValidationError:
        return None
    if isinstance(found, _Execution):
        return _order_event(found)
    if isinstance(found, _Account):
        return BalanceEvent(symbol, tuple(item.asset for item in found.balances), found.time_ms)
    return StreamTerminated()


def _order_event(report: _Execution) -> OrderEvent:
    return OrderEvent(
        symbol=report.symbol,
        order_id=str(report.order_id),
        # A cancel reports under an id of its own and names the order's in C.
        client_order_id=report.cancelled_client_order_id or report.client_order_id,
        execution=report.execution,
        status=report.status,
        time_ms=report.time_ms,
    )
