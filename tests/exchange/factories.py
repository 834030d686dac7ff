"""Binance's answers, in the shapes that it documents."""

from decimal import Decimal
from typing import Any

from trading.domain.types import MarketOrder, OrderSide


def market_order(**changes: Any) -> MarketOrder:
    values: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": OrderSide.SELL,
        "quantity": Decimal("0.00010000"),
        "client_order_id": "rbs-1",
        "side_effect": "AUTO_REPAY",
        "timestamp_ms": 1_700_000_000_000,
        "recv_window_ms": 2_000,
    }
    return MarketOrder(**(values | changes))


def fill(**changes: Any) -> dict[str, Any]:
    values = {
        "price": "60000.00",
        "qty": "0.00010",
        "commission": "0.006",
        "commissionAsset": "USDT",
        "tradeId": 34,
    }
    return values | changes


def full_order(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "clientOrderId": "rbs-1",
        "isIsolated": True,
        "transactTime": 1_700_000_000_123,
        "price": "0.00000000",
        "origQty": "0.00010000",
        "executedQty": "0.00010000",
        "cummulativeQuoteQty": "6.00000000",
        "status": "FILLED",
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": "SELL",
        "selfTradePreventionMode": "NONE",
        "fills": [fill()],
    }
    return values | changes


def cancelled_order(**changes: Any) -> dict[str, Any]:
    values = {
        "symbol": "BTCUSDT",
        "isIsolated": True,
        "orderId": "28",
        "origClientOrderId": "rbs-1",
        "clientOrderId": "cancelled-by-this",
        "price": "1.00000000",
        "origQty": "10.00000000",
        "executedQty": "8.00000000",
        "cummulativeQuoteQty": "8.00000000",
        "status": "CANCELED",
        "timeInForce": "GTC",
        "type": "STOP_LOSS_LIMIT",
        "side": "SELL",
    }
    return values | changes


def asset(name: str, **changes: Any) -> dict[str, Any]:
    values = {
        "asset": name,
        "borrowEnabled": True,
        "borrowed": "0.00000000",
        "free": "0.00000000",
        "interest": "0.00000000",
        "locked": "0.00000000",
        "netAsset": "0.00000000",
        "netAssetOfBtc": "0.00000000",
        "repayEnabled": True,
        "totalAsset": "0.00000000",
    }
    return values | changes


def pair(symbol: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    values = {
        "symbol": symbol,
        "isolatedCreated": True,
        "enabled": True,
        "baseAsset": asset(
            symbol.removesuffix("USDT"), free="0.5", locked="0.1", borrowed="0.2", interest="0.01"
        ),
        "quoteAsset": asset("USDT", free="1000"),
        "marginLevel": "2.00000000",
    }
    return values | changes


def account(*pairs: dict[str, Any]) -> dict[str, Any]:
    return {"assets": list(pairs)}


def own_trade(trade_id: int = 1, **changes: Any) -> dict[str, Any]:
    values = {
        "commission": "0.00006000",
        "commissionAsset": "BTC",
        "id": trade_id,
        "isBestMatch": True,
        "isBuyer": True,
        "isMaker": False,
        "orderId": 39324,
        "price": "60000.02",
        "qty": "0.06000",
        "symbol": "BTCUSDT",
        "isIsolated": True,
        "time": 1_700_000_000_000 + trade_id,
    }
    return values | changes


def symbol_info(*filters: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS"],
        "isMarginTradingAllowed": True,
        "filters": list(filters or default_filters()),
    }
    return values | changes


def default_filters() -> list[dict[str, Any]]:
    return [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.0", "stepSize": "0.00001000"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.0", "maxQty": "107.5", "stepSize": "0.00000000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
    ]


def exchange_info(*symbols: dict[str, Any]) -> dict[str, Any]:
    return {"timezone": "UTC", "symbols": list(symbols)}
