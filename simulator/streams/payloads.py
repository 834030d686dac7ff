"""Events of the public streams, field for field as the spot exchange sends them."""

from typing import Any

import msgspec

from simulator.market.book import Book
from simulator.market.candles import Candle
from simulator.market.daily import Day
from simulator.market.trades import TradePrint
from simulator.rest.market_json import depth as depth_json
from simulator.symbols import fixed

encode = msgspec.json.Encoder().encode


def trade(printed: TradePrint, now_ms: int) -> bytes:
    """`<symbol>@trade`."""
    return encode(
        {
            "e": "trade",
            "E": now_ms,
            "s": printed.symbol,
            "t": printed.trade_id,
            "p": fixed(printed.price),
            "q": fixed(printed.quantity),
            "T": printed.time_ms,
            "m": printed.buyer_is_maker,
            "M": True,
        }
    )


def agg_trade(printed: TradePrint, now_ms: int) -> bytes:
    """`<symbol>@aggTrade`."""
    return encode(
        {
            "e": "aggTrade",
            "E": now_ms,
            "s": printed.symbol,
            "a": printed.agg_id,
            "p": fixed(printed.price),
            "q": fixed(printed.quantity),
            "f": printed.trade_id,
            "l": printed.trade_id,
            "T": printed.time_ms,
            "m": printed.buyer_is_maker,
            "M": True,
        }
    )


def book_ticker(book: Book) -> bytes:
    """`<symbol>@bookTicker`, which on spot names neither its type nor a time."""
    (bid, bid_quantity), (ask, ask_quantity) = book.best_bid, book.best_ask
    return encode(
        {
            "u": book.update_id,
            "s": book.symbol,
            "b": fixed(bid),
            "B": fixed(bid_quantity),
            "a": fixed(ask),
            "A": fixed(ask_quantity),
        }
    )


def depth(book: Book) -> bytes:
    """`<symbol>@depth<levels>`."""
    return encode(depth_json(book))


def kline(symbol: str, interval: str, candle: Candle, *, closed: bool, now_ms: int) -> bytes:
    """`<symbol>@kline_<interval>`."""
    inner = {
        "t": candle.open_ms,
        "T": candle.close_ms,
        "s": symbol,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": fixed(candle.open),
        "c": fixed(candle.close),
        "h": fixed(candle.high),
        "l": fixed(candle.low),
        "v": fixed(candle.volume),
        "n": candle.trades,
        "x": closed,
        "q": fixed(candle.quote_volume),
        "V": fixed(candle.taker_base),
        "Q": fixed(candle.taker_quote),
        "B": "0",
    }
    return encode({"e": "kline", "E": now_ms, "s": symbol, "k": inner})


def mini_ticker(day: Day) -> dict[str, Any]:
    """`<symbol>@miniTicker`, and one element of `!miniTicker@arr`."""
    return {
        "e": "24hrMiniTicker",
        "E": day.close_ms,
        "s": day.symbol,
        "c": fixed(day.last),
        "o": fixed(day.open),
        "h": fixed(day.high),
        "l": fixed(day.low),
        "v": fixed(day.volume),
        "q": fixed(day.quote_volume),
    }


def ticker(day: Day, book: Book) -> dict[str, Any]:
    """`<symbol>@ticker`."""
    (bid, bid_quantity), (ask, ask_quantity) = book.best_bid, book.best_ask
    return {
        **mini_ticker(day),
        "e": "24hrTicker",
        "p": fixed(day.change),
        "P": fixed(day.change_percent, 3),
        "w": fixed(day.average),
        "x": fixed(day.open),
        "Q": fixed(day.last_quantity),
        "b": fixed(bid),
        "B": fixed(bid_quantity),
        "a": fixed(ask),
        "A": fixed(ask_quantity),
        "O": day.open_ms,
        "C": day.close_ms,
        "F": day.first_id,
        "L": day.last_id,
        "n": day.trades,
    }


def server_shutdown(now_ms: int) -> bytes:
    """The warning before the server ends a connection."""
    return encode({"e": "serverShutdown", "E": now_ms})
