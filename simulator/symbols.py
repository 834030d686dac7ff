"""What can be traded, with which filters, and how `exchangeInfo` prints it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MODERN_ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
OLDER_ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")

SELF_TRADE_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
MAX_NUM_ORDERS = 200
MAX_NUM_ALGO_ORDERS = 5
SYNTHETIC_SYMBOLS = 50


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """One trading pair. Prices and notionals in quote currency, quantities in base.

    A `market_step` of 0 means the filter is disabled, as the exchange prints it.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_qty: Decimal
    max_qty: Decimal
    market_max_qty: Decimal
    reference_price: Decimal
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    max_price: Decimal = Decimal(1_000_000)
    market_step: Decimal = Decimal(0)
    market_min_qty: Decimal = Decimal(0)
    apply_min_to_market: bool = True
    status: str = "TRADING"
    order_types: tuple[str, ...] = MODERN_ORDER_TYPES
    margin_allowed: bool = True
    base_precision: int = 8
    quote_precision: int = 8
    fee: Decimal = Decimal("0.001")


def _pair(base: str, *, tick: str, step: str, price: str, **overrides: Any) -> SymbolInfo:
    lot = Decimal(step)
    return SymbolInfo(
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=lot,
        min_qty=lot,
        max_qty=lot * 900_000_000,
        market_max_qty=lot * 12_000_000,
        reference_price=Decimal(price),
        **overrides,
    )


def _synthetic(number: int) -> SymbolInfo:
    price = Decimal(number + 1) * Decimal("3.7")
    return _pair(f"SYN{number:02d}", tick="0.001", step="0.01", price=str(price))


def _catalog() -> dict[str, SymbolInfo]:
    pairs = [
        _pair("BTC", tick="0.01", step="0.00001", price="60000"),
        _pair("ETH", tick="0.01", step="0.0001", price="3000"),
        _pair("BNB", tick="0.01", step="0.001", price="600"),
        _pair("SOL", tick="0.01", step="0.001", price="150"),
        _pair("XRP", tick="0.0001", step="0.1", price="0.6"),
        _pair("ADA", tick="0.0001", step="0.1", price="0.4"),
        _pair("DOGE", tick="0.00001", step="1", price="0.12"),
        _pair("LTC", tick="0.01", step="0.001", price="80", order_types=OLDER_ORDER_TYPES),
        _pair("LUNC", tick="0.0000001", step="1", price="0.00008", status="BREAK", margin_allowed=False),
        # Binance lists pairs that are not spelled in ASCII.
        _pair("币安人生", tick="0.0001", step="0.1", price="0.15"),
        *(_synthetic(number) for number in range(SYNTHETIC_SYMBOLS)),
    ]
    return {pair.symbol: pair for pair in pairs}


CATALOG: dict[str, SymbolInfo] = _catalog()


def fixed(value: Decimal, places: int = 8) -> str:
    """A fixed-point string, eight places as the spot exchange prints everything."""
    return f"{value:.{places}f}"


def exchange_info_json(symbols: Iterable[SymbolInfo], *, server_time_ms: int) -> dict[str, Any]:
    """The body of `GET /api/v3/exchangeInfo` for these symbols."""
    return {
        "timezone": "UTC",
        "serverTime": server_time_ms,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            _rate_limit("ORDERS", "SECOND", 10, 100),
            _rate_limit("ORDERS", "DAY", 1, 200_000),
            _rate_limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol_json(info) for info in symbols],
    }


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol_json(info: SymbolInfo) -> dict[str, Any]:
    permissions = ["SPOT", "MARGIN"] if info.margin_allowed else ["SPOT"]
    return {
        "symbol": info.symbol,
        "status": info.status,
        "baseAsset": info.base,
        "baseAssetPrecision": info.base_precision,
        "quoteAsset": info.quote,
        "quotePrecision": info.quote_precision,
        "quoteAssetPrecision": info.quote_precision,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(info.order_types),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": info.margin_allowed,
        "filters": _filters_json(info),
        "permissions": [],
        "permissionSets": [permissions],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": list(SELF_TRADE_MODES),
    }


def _filters_json(info: SymbolInfo) -> list[dict[str, Any]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": fixed(info.tick),
            "maxPrice": fixed(info.max_price),
            "tickSize": fixed(info.tick),
        },
        _lot_filter("LOT_SIZE", info.min_qty, info.max_qty, info.step),
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        _lot_filter("MARKET_LOT_SIZE", info.market_min_qty, info.market_max_qty, info.market_step),
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": fixed(info.min_notional),
            "applyMinToMarket": info.apply_min_to_market,
            "maxNotional": fixed(info.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_NUM_ORDERS},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_NUM_ALGO_ORDERS},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def _lot_filter(kind: str, smallest: Decimal, largest: Decimal, step: Decimal) -> dict[str, Any]:
    return {"filterType": kind, "minQty": fixed(smallest), "maxQty": fixed(largest), "stepSize": fixed(step)}
