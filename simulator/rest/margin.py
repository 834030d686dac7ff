"""Orders and trades of isolated margin: `/sapi/v1/margin/order` and its neighbours."""

from typing import Any

from simulator import errors, orderform, params, views
from simulator.orders import BORROWING
from simulator.rest.gateway import Call, Endpoint, fixed_cost
from simulator.weights import Cost

DAY_MS = 24 * 3_600_000
ORDER_PATH = "/sapi/v1/margin/order"
_LOOKUP = frozenset({"symbol", "isIsolated", "orderId", "origClientOrderId"})
_WINDOW = frozenset({"symbol", "isIsolated", "startTime", "endTime", "limit"})


def _isolated_symbol(call: Call) -> str:
    symbol = params.symbol(call.params)
    if symbol not in call.exchange.catalog:
        raise errors.invalid_symbol()
    if not params.flag(call.params, "isIsolated"):
        raise errors.no_cross_account()
    return symbol


def _identity(call: Call) -> tuple[int | None, str | None]:
    order_id = params.integer(call.params, "orderId")
    client_id = params.text(call.params, "origClientOrderId")
    if order_id is None and client_id is None:
        raise errors.either_missing("origClientOrderId", "orderId")
    return order_id, client_id


def _place(call: Call) -> Any:
    _isolated_symbol(call)
    if call.account is not None and not call.account.can_trade:
        raise errors.rejected_key()
    request = orderform.parse(call.params)
    return views.placed(call.exchange.place(call.api_key, request, call.arrived))


def _query(call: Call) -> Any:
    symbol = _isolated_symbol(call)
    order_id, client_id = _identity(call)
    return views.queried(call.exchange.find(call.api_key, symbol, order_id, client_id))


def _cancel(call: Call) -> Any:
    symbol = _isolated_symbol(call)
    order_id, client_id = _identity(call)
    new_id = params.client_id(call.params, "newClientOrderId")
    return views.canceled(call.exchange.cancel(call.api_key, symbol, order_id, client_id, new_id))


def _cancel_all(call: Call) -> Any:
    symbol = _isolated_symbol(call)
    return [views.canceled(order) for order in call.exchange.cancel_all(call.api_key, symbol)]


def _open_orders(call: Call) -> Any:
    symbol = _isolated_symbol(call)
    registry = call.exchange.engine.registry
    return [views.queried(order) for order in registry.open_orders(call.api_key, symbol)]


def _span(call: Call) -> tuple[int, int]:
    """The time window asked for, both ends included: at most 24 hours, the last 24 by default."""
    start, end = params.integer(call.params, "startTime"), params.integer(call.params, "endTime")
    now_ms = call.exchange.clock.now_ms()
    if start is not None and end is not None:
        if end < start:
            raise errors.invalid_data("startTime")
        if end - start > DAY_MS:
            raise errors.lookup_too_long(24)
        return start, end
    if start is not None:
        return start, start + DAY_MS
    end = now_ms if end is None else end
    return end - DAY_MS, end


def _all_orders(call: Call) -> Any:
    symbol = _isolated_symbol(call)
    first = params.integer(call.params, "orderId")
    limit = params.limit(call.params, default=500, most=500)
    orders = call.exchange.engine.registry.all_orders(call.api_key, symbol)
    if first is not None:
        return [views.queried(order) for order in orders if order.order_id >= first][:limit]
    start, end = _span(call)
    found = [views.queried(order) for order in orders if start <= order.time_ms <= end]
    return found[:limit] if "startTime" in call.params else found[-limit:]


def _my_trades(call: Call) -> Any:
    symbol = _isolated_symbol(call)
    first, order_id = params.integer(call.params, "fromId"), params.integer(call.params, "orderId")
    limit = params.limit(call.params, default=500, most=1_000)
    fills = call.exchange.engine.registry.fills(call.api_key, symbol)
    if order_id is not None:
        fills = [fill for fill in fills if fill.order_id == order_id]
    if first is not None:
        return [views.trade(fill) for fill in fills if fill.trade_id >= first][:limit]
    if order_id is None or "startTime" in call.params or "endTime" in call.params:
        start, end = _span(call)
        fills = [fill for fill in fills if start <= fill.time_ms <= end]
    chosen = fills[:limit] if "startTime" in call.params else fills[-limit:]
    return [views.trade(fill) for fill in chosen]


def _order_cost(values: dict[str, str]) -> Cost:
    borrows = values.get("sideEffectType") in BORROWING
    return Cost(1_500 if borrows else 6, "UID", f"POST {ORDER_PATH}")


def _get(name: str, answer: Any, known: frozenset[str], weight: int) -> Endpoint:
    path = f"/sapi/v1/margin/{name}"
    return Endpoint("GET", path, answer, known, fixed_cost(weight, "IP", f"GET {path}"))


ENDPOINTS = (
    Endpoint("POST", ORDER_PATH, _place, orderform.ORDER_PARAMS, _order_cost),
    Endpoint(
        "DELETE",
        ORDER_PATH,
        _cancel,
        _LOOKUP | {"newClientOrderId"},
        fixed_cost(10, "IP", f"DELETE {ORDER_PATH}"),
    ),
    Endpoint(
        "DELETE",
        "/sapi/v1/margin/openOrders",
        _cancel_all,
        {"symbol", "isIsolated"},
        fixed_cost(1, "IP", "DELETE /sapi/v1/margin/openOrders"),
    ),
    _get("order", _query, _LOOKUP, 10),
    _get("openOrders", _open_orders, frozenset({"symbol", "isIsolated"}), 10),
    _get("allOrders", _all_orders, _WINDOW | {"orderId"}, 200),
    _get("myTrades", _my_trades, _WINDOW | {"orderId", "fromId"}, 10),
)
