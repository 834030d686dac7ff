"""User data events as Binance publishes them."""

from typing import Any

from simulator.accounts import Pair
from simulator.ledger import ZERO
from simulator.orders import Fill, Order
from simulator.symbols import fixed

Event = dict[str, Any]


def execution_report(order: Order, kind: str, now_ms: int, fill: Fill | None = None) -> Event:
    """An `executionReport` of execution type `kind`: NEW, TRADE, CANCELED or EXPIRED."""
    canceled = kind == "CANCELED"
    event = {
        "e": "executionReport",
        "E": now_ms,
        "c": order.cancel_client_order_id if canceled else order.client_order_id,
        "C": order.client_order_id if canceled else "",
        "x": kind,
        "X": order.status,
        "r": "NONE",
        "T": now_ms,
        "w": order.is_live and order.is_working,
        "z": fixed(order.executed),
        "Z": fixed(order.quote_executed),
        **_wish(order),
        **_last_fill(fill),
    }
    if order.is_working:
        event["W"] = order.working_ms
    return event


def _wish(order: Order) -> Event:
    request = order.request
    return {
        "s": order.symbol,
        "S": order.side,
        "o": request.type,
        "f": request.time_in_force,
        "q": fixed(order.quantity),
        "p": fixed(request.price or ZERO),
        "P": fixed(request.stop_price or ZERO),
        "F": fixed(ZERO),
        "g": -1,
        "i": order.order_id,
        "I": order.order_id * 2,
        "O": order.time_ms,
        "Q": fixed(request.quote_quantity or ZERO),
        "V": request.self_trade_mode,
    }


def _last_fill(fill: Fill | None) -> Event:
    if fill is None:
        nothing = fixed(ZERO)
        return {
            "l": nothing,
            "L": nothing,
            "n": "0",
            "N": None,
            "t": -1,
            "m": False,
            "M": False,
            "Y": nothing,
        }
    return {
        "l": fixed(fill.quantity),
        "L": fixed(fill.price),
        "n": fixed(fill.commission),
        "N": fill.commission_asset,
        "t": fill.trade_id,
        "m": fill.is_maker,
        "M": True,
        "Y": fixed(fill.quote),
    }


def account_position(pair: Pair, now_ms: int) -> Event:
    """An `outboundAccountPosition` with both wallets of the pair."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [
            {"a": wallet.asset, "f": fixed(wallet.free), "l": fixed(wallet.locked)}
            for wallet in (pair.base, pair.quote)
        ],
    }


def balance_update(asset: str, delta: str, now_ms: int) -> Event:
    """A `balanceUpdate`: a deposit, a withdrawal, a loan or a repayment outside of any order."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": delta, "T": now_ms}
