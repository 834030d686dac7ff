"""Binance's public answers as domain values. Pure; raises BadAnswer naming the field."""

from collections.abc import Iterator
from decimal import Decimal

from trading.domain.types import Candle, ListedPair, SymbolRules, Tick
from trading.exchange import fields
from trading.exchange.errors import BadAnswer
from trading.exchange.fields import Row

_OFF = Decimal(0)


def server_time(answer: object) -> int:
    return fields.whole(fields.row(answer, "time"), "serverTime")


def price(answer: object, *, symbol: str, asked_ms: int) -> Tick:
    """The answer carries no time, and the price is at least as new as the question: `asked_ms` it is."""
    source = fields.row(answer, "price")
    if fields.text(source, "symbol") != symbol:
        raise BadAnswer(f"symbol is {source['symbol']!r}, asked for {symbol!r}")
    return Tick(symbol, fields.positive(source, "price"), asked_ms)


def prices(answer: object) -> dict[str, Decimal]:
    """Symbols that never traded are listed with a price of zero, which is none."""
    found = {
        fields.text(item, "symbol"): fields.amount(item, "price") for item in fields.rows(answer, "prices")
    }
    if not found:
        raise BadAnswer("prices are empty")
    return {symbol: value for symbol, value in found.items() if value}


def candles(answer: object, *, symbol: str, interval: str, now_ms: int) -> list[Candle]:
    return [_candle(item, symbol, interval, now_ms) for item in fields.items(answer, "klines")]


def _candle(item: object, symbol: str, interval: str, now_ms: int) -> Candle:
    values = fields.items(item, "kline")
    if len(values) < 7:
        raise BadAnswer(f"kline has {len(values)} values")
    names = ("open time", "open", "high", "low", "close", "volume", "close time")
    source = dict(zip(names, values, strict=False))
    close_time = fields.whole(source, "close time")
    return Candle(
        symbol=symbol,
        interval=interval,
        open_time_ms=fields.whole(source, "open time"),
        close_time_ms=close_time,
        open=fields.positive(source, "open"),
        high=fields.positive(source, "high"),
        low=fields.positive(source, "low"),
        close=fields.positive(source, "close"),
        volume=fields.amount(source, "volume"),
        closed=close_time < now_ms,
    )


def aggregate_trades(answer: object, *, symbol: str) -> list[tuple[int, Tick]]:
    """One page of (aggregate trade id, price), oldest first."""
    found = [
        (fields.whole(item, "a"), Tick(symbol, fields.positive(item, "p"), fields.whole(item, "T")))
        for item in fields.rows(answer, "aggTrades")
    ]
    return sorted(found, key=lambda pair: pair[0])


def symbol_rules(answer: object, *, symbol: str) -> SymbolRules:
    for source in _symbols(answer):
        if fields.text(source, "symbol") == symbol:
            return _rules(source)
    raise BadAnswer(f"symbols leave {symbol} out")


def rules_of_all(answer: object) -> list[SymbolRules]:
    return [_rules(source) for source in _symbols(answer)]


def listed_pairs(answer: object) -> list[ListedPair]:
    """Those that can be traded both ways: what can be opened must be closed again."""
    return [
        ListedPair(fields.text(item, "symbol"), fields.text(item, "base"), fields.text(item, "quote"))
        for item in fields.rows(answer, "allPairs")
        if all(fields.flag(item, name) for name in ("isMarginTrade", "isBuyAllowed", "isSellAllowed"))
    ]


def _symbols(answer: object) -> Iterator[Row]:
    return fields.rows(fields.present(fields.row(answer, "exchangeInfo"), "symbols"), "symbols")


def _rules(source: Row) -> SymbolRules:
    filters = {
        fields.text(item, "filterType"): item for item in fields.rows(source.get("filters"), "filters")
    }
    lot = _filter(filters, "LOT_SIZE")
    market = filters.get("MARKET_LOT_SIZE", {"minQty": "0", "maxQty": "0", "stepSize": "0"})
    max_quantity = fields.positive(lot, "maxQty")
    return SymbolRules(
        symbol=fields.text(source, "symbol"),
        base_asset=fields.text(source, "baseAsset"),
        quote_asset=fields.text(source, "quoteAsset"),
        trading=fields.text(source, "status") == "TRADING",
        margin_allowed=fields.flag(source, "isMarginTradingAllowed"),
        tick_size=fields.amount(_filter(filters, "PRICE_FILTER"), "tickSize"),
        lot_step=fields.amount(lot, "stepSize"),
        min_quantity=max(fields.amount(lot, "minQty"), fields.amount(market, "minQty")),
        max_quantity=max_quantity,
        market_lot_step=fields.amount(market, "stepSize"),
        market_max_quantity=fields.amount(market, "maxQty") or max_quantity,
        min_notional=_min_notional(filters),
        order_types=frozenset(map(str, fields.items(fields.present(source, "orderTypes"), "orderTypes"))),
    )


def _filter(filters: dict[str, Row], kind: str) -> Row:
    if kind not in filters:
        raise BadAnswer(f"filters leave {kind} out")
    return filters[kind]


def _min_notional(filters: dict[str, Row]) -> Decimal:
    """The least worth of a market order, in quote currency. Only market orders are sent here."""
    limits = [
        fields.amount(filters[kind], "minNotional")
        for kind, applies in (("NOTIONAL", "applyMinToMarket"), ("MIN_NOTIONAL", "applyToMarket"))
        if kind in filters and fields.flag(filters[kind], applies)
    ]
    return max(limits, default=_OFF)
