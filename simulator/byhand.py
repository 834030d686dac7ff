"""The owner trades by hand in the app: what `POST /sim/trade` means."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simulator import orderform
from simulator.accounts import Pair
from simulator.exchange import Exchange
from simulator.ledger import ceil_to, floor_to
from simulator.orders import Order
from simulator.positions import dust, sign

VENUE = "isolated_margin"
FIELDS = {
    "api_key",
    "venue",
    "symbol",
    "side",
    "quantity",
    "type",
    "price",
    "stop_price",
    "time_in_force",
    "side_effect",
    "client_order_id",
}
_NAMES = {
    "symbol": "symbol",
    "side": "side",
    "quantity": "quantity",
    "price": "price",
    "stop_price": "stopPrice",
    "time_in_force": "timeInForce",
    "client_order_id": "newClientOrderId",
}


def trade(exchange: Exchange, wish: Mapping[str, Any], api_key: str) -> Order:
    """Place the owner's order, at market unless `type` says otherwise. Raises ValueError or BinanceError.

    The app borrows for what opens a position and repays with what closes one. The quantity `all` closes the
    whole position, whatever it is.
    """
    unknown = set(wish) - FIELDS
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    if wish.get("venue", VENUE) != VENUE:
        raise ValueError(f"venue must be {VENUE}")
    values = {theirs: str(wish[ours]) for ours, theirs in _NAMES.items() if wish.get(ours) is not None}
    values["type"] = str(wish.get("type", "MARKET"))
    pair = exchange.pair(api_key, str(wish.get("symbol", "")))
    if wish.get("quantity") == "all":
        values["quantity"] = f"{_whole(pair, values.get('side', '')):f}"
    values["sideEffectType"] = str(wish.get("side_effect") or _side_effect(exchange, pair, values))
    return exchange.place(api_key, orderform.parse(values), by_hand=True)


def _side_effect(exchange: Exchange, pair: Pair, values: Mapping[str, str]) -> str:
    price = exchange.board.last_price(pair.info.symbol) or pair.info.reference_price
    side = sign(pair.position, dust(pair.info, price))
    closes = side == (1 if values.get("side") == "SELL" else -1)
    return "AUTO_REPAY" if closes else "MARGIN_BUY"


def _whole(pair: Pair, side: str) -> Decimal:
    """A SELL gets rid of all the position that is free; a BUY brings in the debt after its own fee."""
    if side == "SELL":
        quantity = floor_to(min(pair.base.free, pair.position), pair.info.step)
    else:
        quantity = ceil_to(pair.base.debt / (1 - pair.info.fee), pair.info.step)
    if quantity <= 0:
        raise ValueError(f"there is no position in {pair.info.symbol} that a {side} would close")
    return quantity
