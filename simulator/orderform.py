"""From request parameters to an `OrderRequest`: which parameters each order type needs."""

from decimal import Decimal

from simulator import errors, params
from simulator.orders import (
    LIMIT_TYPES,
    ORDER_TYPES,
    RESPONSE_TYPES,
    SELF_TRADE_MODES,
    SIDE_EFFECTS,
    SIDES,
    TIMES_IN_FORCE,
    TRIGGERED_TYPES,
    OrderRequest,
)

PLACES = 8

ORDER_PARAMS = frozenset(
    {
        "symbol",
        "isIsolated",
        "side",
        "type",
        "quantity",
        "quoteOrderQty",
        "price",
        "stopPrice",
        "newClientOrderId",
        "icebergQty",
        "newOrderRespType",
        "sideEffectType",
        "timeInForce",
        "selfTradePreventionMode",
        "autoRepayAtCancel",
    }
)


def parse(values: params.Params) -> OrderRequest:
    """The order that these parameters ask for. Raises BinanceError for anything malformed."""
    symbol = params.symbol(values)
    side = params.required(values, "side")
    if side not in SIDES:
        raise errors.BinanceError(-1117, "Invalid side.")
    kind = params.required(values, "type")
    if kind not in ORDER_TYPES:
        raise errors.BinanceError(-1116, "Invalid orderType.")
    quantity, quote_quantity = _sizes(values, kind)
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=kind,
        quantity=quantity,
        quote_quantity=quote_quantity,
        price=_price(values, kind),
        stop_price=_stop_price(values, kind),
        time_in_force=_time_in_force(values, kind),
        client_order_id=params.client_id(values, "newClientOrderId"),
        response_type=_response_type(values),
        side_effect=params.choice(values, "sideEffectType", SIDE_EFFECTS, default="NO_SIDE_EFFECT"),
        repay_at_cancel=params.flag(values, "autoRepayAtCancel", default=True),
        self_trade_mode=params.choice(
            values, "selfTradePreventionMode", SELF_TRADE_MODES, default="EXPIRE_MAKER"
        ),
    )


def _sizes(values: params.Params, kind: str) -> tuple[Decimal | None, Decimal | None]:
    if params.number(values, "icebergQty"):
        raise errors.not_supported("Iceberg orders")
    quantity = _amount(values, "quantity")
    quote_quantity = _amount(values, "quoteOrderQty")
    if quote_quantity is not None and (quantity is not None or kind != "MARKET"):
        raise errors.not_required("quoteOrderQty" if kind != "MARKET" else "quantity")
    if quantity is None and quote_quantity is None:
        if kind == "MARKET":
            raise errors.either_missing("quantity", "quoteOrderQty")
        raise errors.missing("quantity")
    return quantity, quote_quantity


def _price(values: params.Params, kind: str) -> Decimal | None:
    price = _amount(values, "price")
    if kind in LIMIT_TYPES and price is None:
        raise errors.missing("price")
    if kind not in LIMIT_TYPES and price is not None:
        raise errors.not_required("price")
    return price


def _stop_price(values: params.Params, kind: str) -> Decimal | None:
    stop_price = _amount(values, "stopPrice")
    if kind in TRIGGERED_TYPES and stop_price is None:
        raise errors.missing("stopPrice")
    if kind not in TRIGGERED_TYPES and stop_price is not None:
        raise errors.not_required("stopPrice")
    return stop_price


def _time_in_force(values: params.Params, kind: str) -> str:
    given = params.text(values, "timeInForce")
    takes_one = kind in LIMIT_TYPES and kind != "LIMIT_MAKER"
    if given is None:
        if takes_one:
            raise errors.missing("timeInForce")
        return "GTC"
    if not takes_one:
        raise errors.not_required("timeInForce")
    if given not in TIMES_IN_FORCE:
        raise errors.BinanceError(-1115, "Invalid timeInForce.")
    return given


def _response_type(values: params.Params) -> str | None:
    given = params.text(values, "newOrderRespType")
    if given is not None and given not in RESPONSE_TYPES:
        raise errors.invalid_data("newOrderRespType")
    return given


def _amount(values: params.Params, name: str) -> Decimal | None:
    amount = params.positive(values, name)
    if len(values.get(name, "").partition(".")[2].rstrip("0")) > PLACES:
        raise errors.too_precise(name)
    return amount
