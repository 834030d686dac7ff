"""The control API below `/sim/`: health, prices, trades by hand, faults, and what really happened."""

import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from simulator import byhand, faults, reports
from simulator.errors import BinanceError
from simulator.market.book import Depth
from simulator.rest.gateway import Desk, json_answer

MOST_LISTED = 100_000

Payload = dict[str, Any]
Action = Callable[[Desk, Payload], Any]


def routes(desk: Desk) -> list[web.RouteDef]:
    """The routes of the control API."""
    exchange = desk.exchange
    exchange.faults.listeners.append(lambda: _apply_skew(desk))
    return [web.route(method, f"/sim/{name}", _handler(desk, action)) for method, name, action in _ACTIONS]


def _handler(desk: Desk, action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            payload = await _payload(request)
            return json_answer(action(desk, payload))
        except BinanceError as error:
            return json_answer({"error": error.msg, "code": error.code}, status=400)
        except RecursionError:
            return json_answer({"error": "the body is nested too deeply"}, status=400)
        except (ValueError, KeyError) as error:
            return json_answer({"error": _text(error)}, status=400)

    return handle


async def _payload(request: web.Request) -> Payload:
    body = await request.read()
    if request.method == "GET" or not body:
        return dict(request.query)
    payload = json.loads(body, parse_float=Decimal)
    if not isinstance(payload, dict):
        raise ValueError("the body must be a JSON object")
    return payload


def _text(error: Exception) -> str:
    return f"missing or unknown: {error.args[0]}" if isinstance(error, KeyError) else str(error)


def _decimal(payload: Mapping[str, Any], name: str) -> Decimal:
    value = payload[name]
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{name} must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{name} must be a number") from error
    if not number.is_finite() or abs(number) > 10**15:
        raise ValueError(f"{name} is out of range")
    return number


def _whole(payload: Mapping[str, Any], name: str, default: int | None = None) -> int:
    if default is not None and name not in payload:
        return default
    number = _decimal(payload, name)
    if number != number.to_integral_value() or number < 0:
        raise ValueError(f"{name} must be a whole number")
    return int(number)


def _api_key(desk: Desk, payload: Mapping[str, Any]) -> str:
    accounts = desk.exchange.accounts
    if "api_key" not in payload and len(accounts) == 1:
        return next(iter(accounts))
    api_key = str(payload["api_key"])
    if api_key not in accounts:
        raise ValueError(f"no account has the key {api_key}")
    return api_key


def _health(desk: Desk, _: Payload) -> Any:
    return {
        "status": "ok",
        "time_ms": desk.exchange.clock.now_ms(),
        "accounts": len(desk.exchange.accounts),
        "orders": len(desk.exchange.engine.registry.orders),
    }


def _price(desk: Desk, payload: Payload) -> Any:
    symbol = str(payload["symbol"])
    if symbol not in desk.exchange.catalog:
        raise ValueError(f"there is no symbol {symbol}")
    quantity = _decimal(payload, "quantity") if "quantity" in payload else None
    maker = bool(payload.get("buyer_is_maker", False))
    trade = desk.exchange.board.print_trade(
        symbol, _decimal(payload, "price"), quantity, buyer_is_maker=maker
    )
    return _print_json(trade)


def _print_json(trade: Any) -> Payload:
    return {
        "symbol": trade.symbol,
        "trade_id": trade.trade_id,
        "price": f"{trade.price:f}",
        "quantity": f"{trade.quantity:f}",
        "time_ms": trade.time_ms,
        "published_ns": trade.published_ns,
    }


def _prices(desk: Desk, payload: Payload) -> Any:
    board = desk.exchange.board
    limit = min(MOST_LISTED, _whole(payload, "limit", 1_000))
    symbols = [str(payload["symbol"])] if "symbol" in payload else list(desk.exchange.catalog)
    return [_print_json(trade) for symbol in symbols for trade in board.trades(symbol, limit=limit)]


def _trade(desk: Desk, payload: Payload) -> Any:
    return reports.order(byhand.trade(desk.exchange, payload, _api_key(desk, payload)))


def _arm(desk: Desk, payload: Payload) -> Any:
    fault = faults.parse(payload)
    desk.exchange.faults.arm(fault)
    return _fault_json(fault)


def _clear(desk: Desk, payload: Payload) -> Any:
    cleared = desk.exchange.faults.clear(payload.get("kind"))
    if payload.get("kind") in (None, "ban"):
        desk.weights.forgive()
    return {"cleared": cleared}


def _fault_json(fault: faults.Fault) -> Payload:
    return {
        "kind": fault.kind,
        **fault.conditions,
        **{
            name: str(value) if isinstance(value, Decimal) else value for name, value in fault.options.items()
        },
        "count": fault.count,
        "struck": fault.struck,
    }


def _faults(desk: Desk, _: Payload) -> Any:
    return [_fault_json(fault) for fault in desk.exchange.faults.armed]


def _apply_skew(desk: Desk) -> None:
    fault = desk.exchange.faults.active("clock_skew_ms")
    desk.exchange.clock.skew_ms = int(fault.options["ms"]) if fault else 0


def _orders(desk: Desk, payload: Payload) -> Any:
    wanted = {name: payload[name] for name in ("api_key", "symbol") if name in payload}
    return [
        reports.order(order)
        for order in desk.exchange.engine.registry.orders
        if all(getattr(order, name) == value for name, value in wanted.items())
    ]


def _ledger(desk: Desk, _: Payload) -> Any:
    return reports.ledger(desk.exchange)


def _reset(desk: Desk, _: Payload) -> Any:
    desk.exchange.reset()
    desk.weights.forgive()
    desk.tokens.clear()
    return {"status": "reset"}


def _account(desk: Desk, payload: Payload) -> Any:
    balances = payload.get("balances") or {}
    if not isinstance(balances, dict) or not all(isinstance(one, dict) for one in balances.values()):
        raise ValueError('balances must look like {"BTCUSDT": {"USDT": "5000"}}')
    wanted = {
        str(symbol): {str(asset): _balance(assets, asset) for asset in assets}
        for symbol, assets in balances.items()
    }
    account = desk.exchange.add_account(
        _word(payload, "api_key"), _word(payload, "secret", "api_secret"), wanted
    )
    for name in ("can_read", "can_trade", "can_borrow", "can_withdraw", "can_transfer", "ip_restricted"):
        if name in payload:
            setattr(account, name, bool(payload[name]))
    if "trades_until_ms" in payload:
        account.trades_until_ms = _whole(payload, "trades_until_ms")
    return {"api_key": account.api_key, "uid": account.uid}


def _balance(assets: Mapping[str, Any], asset: str) -> Decimal:
    amount = _decimal(assets, asset)
    if amount < 0:
        raise ValueError(f"the balance of {asset} must not be negative")
    return amount


def _word(payload: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = payload.get(name)
        if isinstance(value, str) and value:
            return value
    raise ValueError(f"{names[-1]} must be a text")


def _depth(desk: Desk, payload: Payload) -> Any:
    """Make a symbol's book thinner or deeper: `levels` a side of `quantity` (base) or `notional` (quote)."""
    options: Payload = {}
    if "levels" in payload:
        options["levels"] = _whole(payload, "levels")
    for name in ("quantity", "notional"):
        if name in payload:
            options[name] = _decimal(payload, name)
    desk.exchange.board.set_depth(str(payload["symbol"]), Depth(**options))
    return {"status": "set"}


def _limits(desk: Desk, payload: Payload) -> Any:
    """Change the weight budgets per minute: `IP`, `UID`, `API`."""
    for scope in desk.weights.limits:
        if scope in payload:
            desk.weights.limits[scope] = _whole(payload, scope)
    return desk.weights.limits


_ACTIONS: tuple[tuple[str, str, Action], ...] = (
    ("GET", "health", _health),
    ("POST", "price", _price),
    ("GET", "prices", _prices),
    ("POST", "trade", _trade),
    ("POST", "fault", _arm),
    ("DELETE", "fault", _clear),
    ("GET", "fault", _faults),
    ("GET", "orders", _orders),
    ("GET", "ledger", _ledger),
    ("POST", "reset", _reset),
    ("POST", "account", _account),
    ("POST", "depth", _depth),
    ("POST", "limits", _limits),
)
