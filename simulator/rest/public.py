"""The public half of `/api/v3`: what anybody may ask about the market, without a key."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from simulator import errors, params
from simulator.clock import Clock
from simulator.market.board import Board
from simulator.market.daily import five_minute_average, last_day
from simulator.market.intervals import INTERVALS
from simulator.params import Params
from simulator.rest import market_json
from simulator.symbols import SymbolInfo, exchange_info_json, fixed

SYMBOLS_RANGE = r'^\["[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}\]$'
_SYMBOLS = re.compile(r'\["(?:[^\Wa-z]|[.-]){1,50}"(?:,"(?:[^\Wa-z]|[.-]){1,50}")*\]')
_UTC = frozenset({"0", "00:00", "+00:00", "0:00"})

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class PublicMarket:
    """What the endpoints read."""

    board: Board
    catalog: Mapping[str, SymbolInfo]
    clock: Clock


Endpoint = Callable[[PublicMarket, Params], Any]


def routes(board: Board, catalog: Mapping[str, SymbolInfo], clock: Clock) -> list[web.RouteDef]:
    """The routes of the public endpoints. Refusals are answered as Binance answers them, never raised."""
    market = PublicMarket(board, catalog, clock)
    return [
        web.get(f"/api/v3/{path}", _handler(market, endpoint, known.split()))
        for path, (endpoint, known) in _ENDPOINTS.items()
    ]


def _handler(market: PublicMarket, endpoint: Endpoint, known: list[str]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            sent = params.read_params(request.rel_url.raw_query_string, "")
            _refuse_others(sent, known)
            return _json(endpoint(market, sent))
        except errors.BinanceError as error:
            return _json(error.body(), status=error.status)

    return handle


def _json(value: Any, *, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json", charset="UTF-8")


def _refuse_others(sent: Params, known: list[str]) -> None:
    if len(sent) > len(known):
        text = f"Too many parameters; expected '{len(known)}' and received '{len(sent)}'."
        raise errors.BinanceError(-1101, text)
    params.refuse_unknown(sent, known)


def _one(market: PublicMarket, sent: Params) -> str:
    symbol = params.symbol(sent)
    if symbol not in market.catalog:
        raise errors.invalid_symbol()
    return symbol


def _several(market: PublicMarket, sent: Params) -> list[SymbolInfo]:
    """The symbols of `symbols=["A","B"]`, or every symbol."""
    listed = params.text(sent, "symbols")
    status = params.text(sent, "symbolStatus")
    if listed is None:
        chosen = list(market.catalog.values())
    elif not _SYMBOLS.fullmatch(listed):
        raise errors.illegal_characters("symbols", SYMBOLS_RANGE)
    else:
        names: list[str] = msgspec.json.decode(listed)
        if len(set(names)) != len(names):
            raise errors.duplicate_values()
        if not set(names) <= market.catalog.keys():
            raise errors.invalid_symbol()
        chosen = [market.catalog[name] for name in names]
    return [info for info in chosen if status is None or info.status == status]


def _per_symbol(render: Callable[[PublicMarket, str], Any], market: PublicMarket, sent: Params) -> Any:
    """One object for `symbol`, a list for `symbols` or for neither."""
    if "symbol" in sent:
        if "symbols" in sent:
            raise _bad_combination("Only one of 'symbol' and 'symbols' may be sent.")
        return render(market, _one(market, sent))
    return [render(market, info.symbol) for info in _several(market, sent)]


def _bad_combination(advice: str) -> errors.BinanceError:
    return errors.BinanceError(
        -1128, f"Combination of optional parameters invalid. Recommendation: '{advice}'"
    )


def _ping(_market: PublicMarket, _sent: Params) -> Any:
    return {}


def _time(market: PublicMarket, _sent: Params) -> Any:
    return {"serverTime": market.clock.now_ms()}


def _exchange_info(market: PublicMarket, sent: Params) -> Any:
    if "symbol" in sent:
        if "symbols" in sent:
            raise _bad_combination("Only one of 'symbol' and 'symbols' may be sent.")
        chosen = [market.catalog[_one(market, sent)]]
    else:
        chosen = _several(market, sent)
    return exchange_info_json(chosen, server_time_ms=market.clock.now_ms())


def _price(market: PublicMarket, symbol: str) -> Any:
    price = market.board.last_price(symbol)
    return {"symbol": symbol, "price": None if price is None else fixed(price)}


def _book_ticker(market: PublicMarket, symbol: str) -> Any:
    return market_json.book_ticker(market.board.book(symbol, 1))


def _ticker_24hr(market: PublicMarket, sent: Params) -> Any:
    short = params.choice(sent, "type", ("FULL", "MINI"), default="FULL") == "MINI"
    return _per_symbol(partial(_day, short), market, sent)


def _day(short: bool, market: PublicMarket, symbol: str) -> Any:
    day = last_day(market.board, symbol)
    return market_json.mini_day(day) if short else market_json.full_day(day, market.board.book(symbol, 1))


def _depth(market: PublicMarket, sent: Params) -> Any:
    limit = params.limit(sent, default=100, most=5_000)
    return market_json.depth(market.board.book(_one(market, sent), limit))


def _trades(market: PublicMarket, sent: Params) -> Any:
    limit = params.limit(sent, default=500, most=1_000)
    return [market_json.trade(trade) for trade in market.board.trades(_one(market, sent), limit=limit)]


def _agg_trades(market: PublicMarket, sent: Params) -> Any:
    symbol = _one(market, sent)
    from_id = params.integer(sent, "fromId")
    start_ms, end_ms = params.integer(sent, "startTime"), params.integer(sent, "endTime")
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise _bad_combination("Only one of 'fromId' and 'startTime'/'endTime' may be sent.")
    limit = params.limit(sent, default=500, most=1_000)
    found = market.board.agg_trades(symbol, from_id=from_id, start_ms=start_ms, end_ms=end_ms, limit=limit)
    return [market_json.agg_trade(trade) for trade in found]


def _klines(market: PublicMarket, sent: Params) -> Any:
    symbol = _one(market, sent)
    interval = params.required(sent, "interval")
    if interval not in INTERVALS:
        raise errors.BinanceError(-1120, "Invalid interval.")
    if (params.text(sent, "timeZone") or "0") not in _UTC:
        raise errors.invalid_data("timeZone")
    candles = market.board.candles(
        symbol,
        interval,
        start_ms=params.integer(sent, "startTime"),
        end_ms=params.integer(sent, "endTime"),
        limit=params.limit(sent, default=500, most=1_000),
    )
    return [market_json.kline(candle) for candle in candles]


def _average_price(market: PublicMarket, sent: Params) -> Any:
    symbol = _one(market, sent)
    newest = market.board.last_trade(symbol)
    return {
        "mins": 5,
        "price": fixed(five_minute_average(market.board, symbol)),
        "closeTime": newest.time_ms if newest else market.clock.now_ms(),
    }


# Each endpoint beside the parameters that it reads.
_ENDPOINTS: dict[str, tuple[Endpoint, str]] = {
    "ping": (_ping, ""),
    "time": (_time, ""),
    "exchangeInfo": (_exchange_info, "symbol symbols permissions showPermissionSets symbolStatus"),
    "ticker/price": (partial(_per_symbol, _price), "symbol symbols symbolStatus"),
    "ticker/bookTicker": (partial(_per_symbol, _book_ticker), "symbol symbols symbolStatus"),
    "ticker/24hr": (_ticker_24hr, "symbol symbols type symbolStatus"),
    "depth": (_depth, "symbol limit symbolStatus"),
    "trades": (_trades, "symbol limit"),
    "aggTrades": (_agg_trades, "symbol fromId startTime endTime limit"),
    "klines": (_klines, "symbol interval startTime endTime timeZone limit"),
    "uiKlines": (_klines, "symbol interval startTime endTime timeZone limit"),
    "avgPrice": (_average_price, "symbol"),
}
