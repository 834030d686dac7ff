"""Market data as the REST endpoints print it: prices and quantities as strings of eight decimals."""

from typing import Any

from simulator.market.book import Book, Level
from simulator.market.candles import Candle
from simulator.market.daily import Day
from simulator.market.trades import TradePrint
from simulator.symbols import fixed


def kline(candle: Candle) -> list[Any]:
    """One row of `klines`; its last field means nothing and is always "0"."""
    return [
        candle.open_ms,
        fixed(candle.open),
        fixed(candle.high),
        fixed(candle.low),
        fixed(candle.close),
        fixed(candle.volume),
        candle.close_ms,
        fixed(candle.quote_volume),
        candle.trades,
        fixed(candle.taker_base),
        fixed(candle.taker_quote),
        "0",
    ]


def trade(printed: TradePrint) -> dict[str, Any]:
    """One element of `trades`."""
    return {
        "id": printed.trade_id,
        "price": fixed(printed.price),
        "qty": fixed(printed.quantity),
        "quoteQty": fixed(printed.price * printed.quantity),
        "time": printed.time_ms,
        "isBuyerMaker": printed.buyer_is_maker,
        "isBestMatch": True,
    }


def agg_trade(printed: TradePrint) -> dict[str, Any]:
    """One element of `aggTrades`."""
    return {
        "a": printed.agg_id,
        "p": fixed(printed.price),
        "q": fixed(printed.quantity),
        "f": printed.trade_id,
        "l": printed.trade_id,
        "T": printed.time_ms,
        "m": printed.buyer_is_maker,
        "M": True,
    }


def levels(side: list[Level]) -> list[list[str]]:
    """One side of a book."""
    return [[fixed(price), fixed(quantity)] for price, quantity in side]


def depth(book: Book) -> dict[str, Any]:
    """The body of `depth`, and the payload of the partial depth streams."""
    return {"lastUpdateId": book.update_id, "bids": levels(book.bids), "asks": levels(book.asks)}


def book_ticker(book: Book) -> dict[str, Any]:
    """One element of `ticker/bookTicker`."""
    (bid, bid_quantity), (ask, ask_quantity) = book.best_bid, book.best_ask
    return {
        "symbol": book.symbol,
        "bidPrice": fixed(bid),
        "bidQty": fixed(bid_quantity),
        "askPrice": fixed(ask),
        "askQty": fixed(ask_quantity),
    }


def mini_day(day: Day) -> dict[str, Any]:
    """One element of `ticker/24hr?type=MINI`."""
    return {
        "symbol": day.symbol,
        "openPrice": fixed(day.open),
        "highPrice": fixed(day.high),
        "lowPrice": fixed(day.low),
        "lastPrice": fixed(day.last),
        "volume": fixed(day.volume),
        "quoteVolume": fixed(day.quote_volume),
        "openTime": day.open_ms,
        "closeTime": day.close_ms,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def full_day(day: Day, book: Book) -> dict[str, Any]:
    """One element of `ticker/24hr`."""
    return {
        **mini_day(day),
        **book_ticker(book),
        "priceChange": fixed(day.change),
        "priceChangePercent": fixed(day.change_percent, 3),
        "weightedAvgPrice": fixed(day.average),
        "prevClosePrice": fixed(day.open),
        "lastQty": fixed(day.last_quantity),
    }
