"""How accounts, orders and fills are printed in answers of `/sapi/v1/margin`."""

from decimal import Decimal
from typing import Any

from simulator.accounts import Pair
from simulator.ledger import ZERO, Wallet
from simulator.orders import Fill, Order
from simulator.symbols import fixed

Json = dict[str, Any]

LIQUIDATION_LEVEL = Decimal("1.1")
NO_DEBT_LEVEL = Decimal(999)
_LEVELS = (
    (Decimal(2), "EXCESSIVE"),
    (Decimal("1.5"), "NORMAL"),
    (Decimal("1.3"), "MARGIN_CALL"),
    (LIQUIDATION_LEVEL, "PRE_LIQUIDATION"),
)


def ack(order: Order) -> Json:
    """The shortest answer to a new order."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_order_id,
        "isIsolated": True,
        "transactTime": order.update_ms,
    }


def result(order: Order) -> Json:
    """The answer to a new order without its fills."""
    answer = {
        **ack(order),
        "price": fixed(order.request.price or ZERO),
        "origQty": fixed(order.quantity),
        "executedQty": fixed(order.executed),
        "cummulativeQuoteQty": fixed(order.quote_executed),
        "status": order.status,
        "timeInForce": order.request.time_in_force,
        "type": order.request.type,
        "side": order.side,
        "selfTradePreventionMode": order.request.self_trade_mode,
    }
    if order.request.stop_price is not None:
        answer["stopPrice"] = fixed(order.request.stop_price)
    if order.loan:
        answer["marginBuyBorrowAmount"] = fixed(order.loan)
        answer["marginBuyBorrowAsset"] = order.loan_asset
    return answer


def full(order: Order) -> Json:
    """The answer to a new order with its fills."""
    return {**result(order), "fills": [_fill(fill) for fill in order.fills]}


def _fill(fill: Fill) -> Json:
    return {
        "price": fixed(fill.price),
        "qty": fixed(fill.quantity),
        "commission": fixed(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    }


def placed(order: Order) -> Json:
    """The answer in the form asked for; stop orders default to ACK, the others to FULL."""
    kind = order.request.response_type or ("ACK" if order.request.is_triggered else "FULL")
    return {"ACK": ack, "RESULT": result, "FULL": full}[kind](order)


def queried(order: Order) -> Json:
    """An order as look-ups and lists print it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_order_id,
        "price": fixed(order.request.price or ZERO),
        "origQty": fixed(order.quantity),
        "executedQty": fixed(order.executed),
        "cummulativeQuoteQty": fixed(order.quote_executed),
        "status": order.status,
        "timeInForce": order.request.time_in_force,
        "type": order.request.type,
        "side": order.side,
        "stopPrice": fixed(order.request.stop_price or ZERO),
        "icebergQty": fixed(ZERO),
        "time": order.time_ms,
        "updateTime": order.update_ms,
        "isWorking": order.is_working,
        "isIsolated": True,
        "selfTradePreventionMode": order.request.self_trade_mode,
    }


def canceled(order: Order) -> Json:
    """The answer to a cancel. Unlike everywhere else, orderId is a string here."""
    return {
        "symbol": order.symbol,
        "isIsolated": True,
        "orderId": str(order.order_id),
        "origClientOrderId": order.client_order_id,
        "clientOrderId": order.cancel_client_order_id,
        "price": fixed(order.request.price or ZERO),
        "origQty": fixed(order.quantity),
        "executedQty": fixed(order.executed),
        "cummulativeQuoteQty": fixed(order.quote_executed),
        "status": order.status,
        "timeInForce": order.request.time_in_force,
        "type": order.request.type,
        "side": order.side,
        "selfTradePreventionMode": order.request.self_trade_mode,
    }


def trade(fill: Fill) -> Json:
    """A fill as `myTrades` prints it."""
    return {
        "commission": fixed(fill.commission),
        "commissionAsset": fill.commission_asset,
        "id": fill.trade_id,
        "isBestMatch": True,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.is_maker,
        "orderId": fill.order_id,
        "price": fixed(fill.price),
        "qty": fixed(fill.quantity),
        "symbol": fill.symbol,
        "isIsolated": True,
        "time": fill.time_ms,
    }


def isolated(pair: Pair, price: Decimal, base_in_btc: Decimal, quote_in_btc: Decimal) -> Json:
    """One entry of `isolated/account`: `price` in quote currency, then one unit of each asset in BTC."""
    debt = pair.debt(price)
    level = min(NO_DEBT_LEVEL, pair.total(price) / debt) if debt > 0 else NO_DEBT_LEVEL
    return {
        "baseAsset": _wallet(pair.base, base_in_btc),
        "quoteAsset": _wallet(pair.quote, quote_in_btc),
        "symbol": pair.info.symbol,
        "isolatedCreated": True,
        "enabled": True,
        "marginLevel": fixed(level),
        "marginLevelStatus": next((name for floor, name in _LEVELS if level >= floor), "FORCE_LIQUIDATION"),
        "marginRatio": fixed(Decimal(5)),
        "indexPrice": fixed(price),
        "liquidatePrice": fixed(_liquidation_price(pair)),
        "liquidateRate": fixed(LIQUIDATION_LEVEL),
        "tradeEnabled": True,
    }


def _wallet(wallet: Wallet, in_btc: Decimal) -> Json:
    return {
        "asset": wallet.asset,
        "borrowEnabled": True,
        "borrowed": fixed(wallet.borrowed),
        "free": fixed(wallet.free),
        "interest": fixed(wallet.interest),
        "locked": fixed(wallet.locked),
        "netAsset": fixed(wallet.net),
        "netAssetOfBtc": fixed(wallet.net * in_btc),
        "repayEnabled": True,
        "totalAsset": fixed(wallet.total),
    }


def _liquidation_price(pair: Pair) -> Decimal:
    """Where the assets are worth 1.1 debts: base x p + quote = 1.1 (base debt x p + quote debt)."""
    slope = pair.base.total - LIQUIDATION_LEVEL * pair.base.debt
    if pair.base.debt == pair.quote.debt == 0 or slope == 0:
        return ZERO
    return max(ZERO, (LIQUIDATION_LEVEL * pair.quote.debt - pair.quote.total) / slope)
