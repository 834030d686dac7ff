"""The public REST endpoints, over HTTP, as a client sees them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from simulator.market.book import Depth
from simulator.market.intervals import MINUTE
from simulator.symbols import CATALOG
from tests.simulator.market.support import START_MS, Server, StoppedClock, board_at, serving

PRICE_LIKE = r"^\d+\.\d{8}$"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    board, _ = board_at()
    async with serving(board) as running:
        yield running


async def answer(server: Server, path: str, **params: str) -> Any:
    status, body = await server.get(path, **params)
    assert status == 200
    return body


def later(server: Server, ms: int) -> None:
    assert isinstance(server.clock, StoppedClock)
    server.clock.at_ms += ms


async def test_ping_is_empty_and_time_is_the_exchange_own(server: Server) -> None:
    assert await answer(server, "ping") == {}
    server.clock.skew_ms = -7_000
    assert await answer(server, "time") == {"serverTime": START_MS - 7_000}


async def test_answers_are_json_by_content_type(server: Server) -> None:
    async with server.http.get(f"{server.address}/api/v3/ping") as response:
        assert response.headers["Content-Type"] == "application/json; charset=UTF-8"


async def test_exchange_info_lists_every_symbol_with_its_filters(server: Server) -> None:
    body = await answer(server, "exchangeInfo")
    assert [entry["symbol"] for entry in body["symbols"]] == list(CATALOG)
    assert {limit["rateLimitType"] for limit in body["rateLimits"]} == {
        "REQUEST_WEIGHT",
        "ORDERS",
        "RAW_REQUESTS",
    }
    btc = body["symbols"][0]
    assert (btc["symbol"], btc["status"], btc["baseAsset"], btc["quoteAsset"]) == (
        "BTCUSDT",
        "TRADING",
        "BTC",
        "USDT",
    )
    filters = {entry["filterType"]: entry for entry in btc["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == filters["LOT_SIZE"]["minQty"] == "0.00001000"
    assert filters["MARKET_LOT_SIZE"]["stepSize"] == "0.00000000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert filters["NOTIONAL"]["applyMinToMarket"] is True
    assert filters["MAX_NUM_ALGO_ORDERS"]["maxNumAlgoOrders"] == 5
    assert {"ICEBERG_PARTS", "TRAILING_DELTA", "PERCENT_PRICE_BY_SIDE", "MAX_NUM_ORDERS"} <= filters.keys()


async def test_exchange_info_shows_the_odd_symbols(server: Server) -> None:
    body = await answer(server, "exchangeInfo")
    by_name = {entry["symbol"]: entry for entry in body["symbols"]}
    assert "STOP_LOSS" in by_name["BTCUSDT"]["orderTypes"]
    assert "STOP_LOSS" not in by_name["LTCUSDT"]["orderTypes"]
    assert by_name["LUNCUSDT"]["status"] == "BREAK"
    assert by_name["LUNCUSDT"]["isMarginTradingAllowed"] is False


async def test_exchange_info_can_be_narrowed(server: Server) -> None:
    one = await answer(server, "exchangeInfo", symbol="ETHUSDT")
    two = await answer(server, "exchangeInfo", symbols='["ETHUSDT","BTCUSDT"]')
    broken = await answer(server, "exchangeInfo", symbolStatus="BREAK")
    assert [entry["symbol"] for entry in one["symbols"]] == ["ETHUSDT"]
    assert [entry["symbol"] for entry in two["symbols"]] == ["ETHUSDT", "BTCUSDT"]
    assert [entry["symbol"] for entry in broken["symbols"]] == ["LUNCUSDT"]


async def test_ticker_is_an_object_for_one_symbol_and_a_list_otherwise(server: Server) -> None:
    server.board.print_trade("BTCUSDT", Decimal("61000.5"))
    assert await answer(server, "ticker/price", symbol="BTCUSDT") == {
        "symbol": "BTCUSDT",
        "price": "61000.50000000",
    }
    listed = await answer(server, "ticker/price", symbols='["BTCUSDT"]')
    assert listed == [{"symbol": "BTCUSDT", "price": "61000.50000000"}]
    assert len(await answer(server, "ticker/price")) == len(CATALOG)


async def test_book_ticker_and_depth_show_the_same_book(server: Server) -> None:
    server.board.print_trade("BTCUSDT", Decimal(61_000))
    ticker = await answer(server, "ticker/bookTicker", symbol="BTCUSDT")
    depth = await answer(server, "depth", symbol="BTCUSDT", limit="5")
    assert list(ticker) == ["symbol", "bidPrice", "bidQty", "askPrice", "askQty"]
    assert depth["bids"][0] == [ticker["bidPrice"], ticker["bidQty"]] == ["61000.00000000", ticker["bidQty"]]
    assert depth["asks"][0] == [ticker["askPrice"], ticker["askQty"]] == ["61000.01000000", ticker["askQty"]]
    assert len(depth["bids"]) == len(depth["asks"]) == 5
    assert isinstance(depth["lastUpdateId"], int)
    assert len((await answer(server, "depth", symbol="BTCUSDT"))["bids"]) == 100


async def test_empty_book_is_printed_as_zeros(server: Server) -> None:
    server.board.set_depth("BTCUSDT", Depth(levels=0))
    ticker = await answer(server, "ticker/bookTicker", symbol="BTCUSDT")
    assert ticker["bidPrice"] == ticker["askQty"] == "0.00000000"


async def test_trades_carry_their_maker_side(server: Server) -> None:
    printed = server.board.print_trade("BTCUSDT", Decimal(61_000), Decimal("0.5"), buyer_is_maker=True)
    server.board.print_trade("BTCUSDT", Decimal(61_001))
    newest = (await answer(server, "trades", symbol="BTCUSDT"))[0]
    assert newest == {
        "id": printed.trade_id,
        "price": "61000.00000000",
        "qty": "0.50000000",
        "quoteQty": "30500.00000000",
        "time": START_MS,
        "isBuyerMaker": True,
        "isBestMatch": True,
    }
    assert len(await answer(server, "trades", symbol="BTCUSDT", limit="1")) == 1


async def test_aggregate_trades_are_paged_by_id_and_by_time(server: Server) -> None:
    for n in range(5):
        server.board.print_trade("BTCUSDT", Decimal(61_000 + n))
        later(server, 1_000)
    first = (await answer(server, "aggTrades", symbol="BTCUSDT"))[0]
    assert list(first) == ["a", "p", "q", "f", "l", "T", "m", "M"]
    by_id = await answer(server, "aggTrades", symbol="BTCUSDT", fromId=str(first["a"] + 2), limit="2")
    assert [trade["p"] for trade in by_id] == ["61002.00000000", "61003.00000000"]
    start, end = str(START_MS + 3_000), str(START_MS + 3_999)
    by_time = await answer(server, "aggTrades", symbol="BTCUSDT", startTime=start, endTime=end)
    assert [trade["p"] for trade in by_time] == ["61003.00000000"]


@pytest.mark.parametrize("path", ["klines", "uiKlines"])
async def test_klines_are_rows_of_twelve_the_open_one_last(server: Server, path: str) -> None:
    server.board.print_trade("BTCUSDT", Decimal(61_000), Decimal("0.5"))
    server.board.print_trade("BTCUSDT", Decimal(60_500), Decimal("0.1"), buyer_is_maker=True)
    later(server, MINUTE)
    closed, current = await answer(server, path, symbol="BTCUSDT", interval="1m", limit="2")
    assert closed == [
        START_MS,
        "61000.00000000",
        "61000.00000000",
        "60500.00000000",
        "60500.00000000",
        "0.60000000",
        START_MS + MINUTE - 1,
        "36550.00000000",
        2,
        "0.50000000",
        "30500.00000000",
        "0",
    ]
    assert current[:5] == [START_MS + MINUTE, *["60500.00000000"] * 4]


async def test_klines_without_a_limit_are_five_hundred_and_never_more_than_a_thousand(server: Server) -> None:
    assert len(await answer(server, "klines", symbol="BTCUSDT", interval="1m")) == 500
    assert len(await answer(server, "klines", symbol="BTCUSDT", interval="1m", limit="1500")) == 1_000
    end = str(START_MS)
    assert await answer(server, "klines", symbol="BTCUSDT", interval="1m", startTime=end, endTime="1") == []


async def test_average_price_is_weighted_over_five_minutes(server: Server) -> None:
    server.board.print_trade("BTCUSDT", Decimal(60_000), Decimal(1))
    later(server, MINUTE)
    server.board.print_trade("BTCUSDT", Decimal(61_000), Decimal(3))
    body = await answer(server, "avgPrice", symbol="BTCUSDT")
    assert body == {"mins": 5, "price": "60750.00000000", "closeTime": START_MS + MINUTE}
    later(server, 10 * MINUTE)
    assert (await answer(server, "avgPrice", symbol="BTCUSDT"))["price"] == "61000.00000000"


async def test_daily_ticker_sums_the_last_day(server: Server) -> None:
    server.board.print_trade("BTCUSDT", Decimal(63_000), Decimal(1))
    server.board.print_trade("BTCUSDT", Decimal(57_000), Decimal(1))
    body = await answer(server, "ticker/24hr", symbol="BTCUSDT")
    assert (body["openPrice"], body["highPrice"], body["lowPrice"], body["lastPrice"]) == (
        "60000.00000000",
        "63000.00000000",
        "57000.00000000",
        "57000.00000000",
    )
    assert (body["priceChange"], body["priceChangePercent"]) == ("-3000.00000000", "-5.000")
    assert (body["volume"], body["quoteVolume"], body["weightedAvgPrice"], body["count"]) == (
        "2.00000000",
        "120000.00000000",
        "60000.00000000",
        2,
    )
    assert body["closeTime"] - body["openTime"] == 24 * 60 * MINUTE
    short = await answer(server, "ticker/24hr", symbol="BTCUSDT", type="MINI")
    assert short.items() <= body.items()
    assert "bidPrice" not in short


@pytest.mark.parametrize(
    ("path", "params", "code", "text"),
    [
        ("klines", {"interval": "1m"}, -1102, "Mandatory parameter 'symbol' was not sent"),
        ("klines", {"symbol": "BTCUSDT"}, -1102, "Mandatory parameter 'interval' was not sent"),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120, "Invalid interval."),
        (
            "klines",
            {"symbol": "BTCUSDT", "interval": "1m", "timeZone": "5"},
            -1130,
            "'timeZone' is not valid",
        ),
        (
            "klines",
            {"symbol": "BTCUSDT", "interval": "1m", "start_time": "5"},
            -1104,
            "read '2' parameter(s) but was sent '3'",
        ),
        ("ticker/price", {"symbol": "NOSUCHPAIR"}, -1121, "Invalid symbol."),
        ("ticker/price", {"symbol": "btcusdt"}, -1100, "Illegal characters found in parameter 'symbol'"),
        ("ticker/price", {"symbol": ""}, -1102, "Mandatory parameter 'symbol'"),
        ("ticker/price", {"symbols": '["BTCUSDT","NOSUCHPAIR"]'}, -1121, "Invalid symbol."),
        ("ticker/price", {"symbols": '["BTCUSDT","BTCUSDT"]'}, -1101, "Duplicate values"),
        ("ticker/price", {"symbols": "[]"}, -1100, "Illegal characters found in parameter 'symbols'"),
        ("ticker/price", {"symbols": "BTCUSDT"}, -1100, "Illegal characters found in parameter 'symbols'"),
        ("exchangeInfo", {"symbols": ""}, -1105, "Parameter 'symbols' was empty."),
        (
            "ticker/price",
            {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'},
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "depth",
            {"symbol": "BTCUSDT", "limit": "ten"},
            -1100,
            "Illegal characters found in parameter 'limit'",
        ),
        (
            "depth",
            {"symbol": "BTCUSDT", "limit": "-1"},
            -1100,
            "Illegal characters found in parameter 'limit'",
        ),
        (
            "depth",
            {"symbol": "BTCUSDT", "limit": "0"},
            -1130,
            "Data sent for parameter 'limit' is not valid.",
        ),
        (
            "trades",
            {"symbol": "BTCUSDT", "limit": "1e3"},
            -1100,
            "Illegal characters found in parameter 'limit'",
        ),
        (
            "aggTrades",
            {"symbol": "BTCUSDT", "startTime": "9" * 20},
            -1108,
            "Parameter 'startTime' overflowed.",
        ),
        (
            "aggTrades",
            {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1"},
            -1128,
            "Combination of optional",
        ),
        (
            "ticker/24hr",
            {"symbol": "BTCUSDT", "type": "HUGE"},
            -1130,
            "Data sent for parameter 'type' is not valid.",
        ),
        ("ping", {"a": "1"}, -1101, "Too many parameters; expected '0' and received '1'."),
    ],
)
async def test_refusal_has_the_exchange_own_code_and_words(
    server: Server, path: str, params: dict[str, str], code: int, text: str
) -> None:
    status, body = await server.get(path, **params)
    assert (status, body["code"]) == (400, code)
    assert text in body["msg"]
    assert set(body) == {"code", "msg"}


@pytest.mark.parametrize(
    "params",
    [
        {"startTime": "9223372036854775807"},
        {"endTime": "9223372036854775807"},
        {"endTime": "0"},
        {"startTime": "0", "endTime": "9223372036854775807"},
    ],
)
@pytest.mark.parametrize("interval", ["1s", "1w", "1M"])
async def test_extreme_times_are_answered_with_candles_or_none(
    server: Server, params: dict[str, str], interval: str
) -> None:
    rows = await answer(server, "klines", symbol="BTCUSDT", interval=interval, limit="3", **params)
    assert len(rows) in {0, 3}
    await answer(server, "aggTrades", symbol="BTCUSDT", **params)
