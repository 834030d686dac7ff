"""The symbol's filters, applied before an order reaches the matching engine."""

from decimal import Decimal

from simulator import errors
from simulator.orders import TRIGGERED_TYPES, OrderRequest
from simulator.symbols import MAX_NUM_ALGO_ORDERS, MAX_NUM_ORDERS, SymbolInfo

FARTHEST_ABOVE = Decimal(5)
FARTHEST_BELOW = Decimal("0.2")

_UNSUPPORTED = {
    "MARKET": "Market orders",
    "STOP_LOSS": "Stop loss orders",
    "STOP_LOSS_LIMIT": "Stop loss limit orders",
    "TAKE_PROFIT": "Take profit orders",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders",
}


def check_tradable(info: SymbolInfo, request: OrderRequest) -> None:
    """Raise when the pair is closed, has no margin trading, or does not know this order type."""
    if not info.margin_allowed:
        raise errors.pair_not_allowed()
    if info.status != "TRADING":
        raise errors.market_closed()
    if request.type not in info.order_types:
        raise errors.not_supported(_UNSUPPORTED.get(request.type, "Limit orders"))


def check(info: SymbolInfo, request: OrderRequest, last_price: Decimal | None) -> None:
    """Raise -1013 for the first filter that the order fails. `last_price` is in quote currency."""
    for price in (request.price, request.stop_price):
        if price is not None:
            _check_price(info, price, last_price)
    if request.quantity is not None:
        _check_lot(info, request, request.quantity)
    _check_notional(info, request, last_price)


def _check_price(info: SymbolInfo, price: Decimal, last_price: Decimal | None) -> None:
    if not info.tick <= price <= info.max_price or price % info.tick:
        raise errors.filter_failure("PRICE_FILTER")
    if last_price is not None and not last_price * FARTHEST_BELOW <= price <= last_price * FARTHEST_ABOVE:
        raise errors.filter_failure("PERCENT_PRICE_BY_SIDE")


def _check_lot(info: SymbolInfo, request: OrderRequest, quantity: Decimal) -> None:
    if not info.min_qty <= quantity <= info.max_qty or quantity % info.step:
        raise errors.filter_failure("LOT_SIZE")
    if not request.is_market:
        return
    off_step = bool(info.market_step) and bool(quantity % info.market_step)
    if not info.market_min_qty <= quantity <= info.market_max_qty or off_step:
        raise errors.filter_failure("MARKET_LOT_SIZE")


def _check_notional(info: SymbolInfo, request: OrderRequest, last_price: Decimal | None) -> None:
    price = request.price or request.stop_price or last_price
    if request.quote_quantity is not None:
        notional = request.quote_quantity
    elif price is None or request.quantity is None:
        return
    else:
        notional = request.quantity * price
    too_small = notional < info.min_notional and (not request.is_market or info.apply_min_to_market)
    too_large = notional > info.max_notional and not request.is_market
    if too_small or too_large:
        raise errors.filter_failure("NOTIONAL")


def check_open_orders(request: OrderRequest, open_types: list[str]) -> None:
    """Raise when the account already has as many open orders on the symbol as it may."""
    waiting = sum(1 for kind in open_types if kind in TRIGGERED_TYPES)
    if request.is_triggered and waiting >= MAX_NUM_ALGO_ORDERS:
        raise errors.filter_failure("MAX_NUM_ALGO_ORDERS")
    if len(open_types) >= MAX_NUM_ORDERS:
        raise errors.filter_failure("MAX_NUM_ORDERS")
