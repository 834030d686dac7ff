"""Files of recorded prices, in every form they come in."""

import gzip
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from simulator.market.files import RecordedTicks
from simulator.market.ticks import FeedError, Tick

MS = 1_723_161_255_342
TICK = Tick("BTCUSDT", Decimal("61837.63"), MS * 1_000, Decimal("0.02"), buyer_is_maker=True)

SPOT_TRADE = f"3735683259,61837.63000000,0.02000000,1236.75260000,{MS},True,True"
FUTURES_TRADE = f"5266583935,61837.63,0.020,1236.7526,{MS},true"
SPOT_AGGREGATE = f"3119,61837.63000000,0.02000000,3735683259,3735683259,{MS},True,True"
FUTURES_AGGREGATE = f"2316,61837.63,0.020,5266583935,5266583935,{MS},true"
TRADES_HEADER = "id,price,qty,quote_qty,time,is_buyer_maker"
AGGREGATES_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
KLINE = f"{MS},100.0,120.0,90.0,110.0,8.0,{MS + 60_000},800.0,9,4.0,400.0,0"
KLINES_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


def write(folder: Path, *lines: str, name: str = "BTCUSDT-trades-2024-08-08.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def ticks(path: Path, *symbols: str) -> list[Tick]:
    return list(RecordedTicks(path, symbols))


@pytest.mark.parametrize("row", [SPOT_TRADE, FUTURES_TRADE, SPOT_AGGREGATE, FUTURES_AGGREGATE])
def test_dump_without_a_header_is_known_by_its_columns(tmp_path: Path, row: str) -> None:
    assert ticks(write(tmp_path, row)) == [TICK]


@pytest.mark.parametrize(
    ("header", "row"), [(TRADES_HEADER, FUTURES_TRADE), (AGGREGATES_HEADER, FUTURES_AGGREGATE)]
)
def test_dump_with_a_header_is_known_by_its_names(tmp_path: Path, header: str, row: str) -> None:
    assert ticks(write(tmp_path, header, row)) == [TICK]


def test_microseconds_of_newer_dumps_are_the_same_moment(tmp_path: Path) -> None:
    assert ticks(write(tmp_path, SPOT_TRADE.replace(str(MS), str(MS * 1_000)))) == [TICK]


def test_gzip_and_zip_hold_the_same_prices(tmp_path: Path) -> None:
    zipped, gzipped = tmp_path / "BTCUSDT-trades-a.zip", tmp_path / "BTCUSDT-trades-b.csv.gz"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("BTCUSDT-trades-a.csv", SPOT_TRADE + "\n")
    gzipped.write_bytes(gzip.compress(SPOT_TRADE.encode()))
    assert ticks(zipped) == ticks(gzipped) == [TICK]


@pytest.mark.parametrize("header", [(), (KLINES_HEADER,)])
def test_candle_becomes_its_open_its_extremes_and_its_close(tmp_path: Path, header: tuple[str, ...]) -> None:
    found = ticks(write(tmp_path, *header, KLINE, name="BTCUSDT-1m-2024-08-08.csv"))
    assert [tick.price for tick in found] == [100, 90, 120, 110]
    assert [tick.at_us // 1_000 - MS for tick in found] == [0, 20_000, 40_000, 60_000]
    assert {tick.quantity for tick in found} == {Decimal(2)}


def test_falling_candle_shows_its_high_first(tmp_path: Path) -> None:
    row = KLINE.replace("100.0,120.0,90.0,110.0", "110.0,120.0,90.0,100.0")
    assert [tick.price for tick in ticks(write(tmp_path, row))] == [110, 120, 90, 100]


def test_candle_without_volume_still_shows_its_prices(tmp_path: Path) -> None:
    found = ticks(write(tmp_path, KLINE.replace(",8.0,", ",0,")))
    assert [tick.quantity for tick in found] == [None] * 4


def frame(event: dict[str, object], *, wrap: bool = True, ns: int = MS * 1_000_000) -> str:
    message = {"stream": "btcusdt@trade", "data": event} if wrap else event
    return f"{ns} {json.dumps(message)}"


TRADE_EVENT = {
    "e": "trade",
    "E": MS,
    "s": "BTCUSDT",
    "t": 1,
    "p": "61837.63000000",
    "q": "0.02000000",
    "T": MS,
    "m": True,
    "M": True,
}
QUOTE = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "1", "A": "1"}


@pytest.mark.parametrize("wrap", [True, False])
def test_raw_frames_give_their_trades_at_the_time_of_receipt(tmp_path: Path, wrap: bool) -> None:
    path = write(tmp_path, frame(QUOTE, wrap=wrap), frame(TRADE_EVENT, wrap=wrap), name="frames.txt")
    assert ticks(path) == [TICK]


def test_aggregates_beside_trades_are_not_played_twice(tmp_path: Path) -> None:
    aggregate = {**TRADE_EVENT, "e": "aggTrade", "a": 7}
    path = write(tmp_path, frame(TRADE_EVENT), frame(aggregate), frame(TRADE_EVENT), name="frames.txt")
    assert ticks(path) == [TICK, TICK]


def test_frames_of_other_symbols_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, frame(TRADE_EVENT), frame({**TRADE_EVENT, "s": "ETHUSDT"}), name="frames.txt")
    assert [tick.symbol for tick in ticks(path)] == ["BTCUSDT", "ETHUSDT"]
    assert [tick.symbol for tick in ticks(path, "ETHUSDT")] == ["ETHUSDT"]


@pytest.mark.parametrize(
    "broken",
    [
        "nonsense",
        SPOT_TRADE.replace("61837.63000000", "-1"),
        SPOT_TRADE.replace("61837.63000000", "NaN"),
        SPOT_TRADE.replace("61837.63000000", "1e999999999"),
        SPOT_TRADE.replace(str(MS), "yesterday"),
        SPOT_TRADE.replace("True,True", "perhaps,True"),
        "\xff\xfe,,,",
    ],
)
def test_line_that_makes_no_sense_is_dropped_and_counted(tmp_path: Path, broken: str) -> None:
    recorded = RecordedTicks(write(tmp_path, SPOT_TRADE, broken, SPOT_TRADE), [])
    found = list(recorded)
    assert found[0] == found[-1] == TICK
    assert (len(found), recorded.dropped, recorded.first_dropped) in {(2, 1, 2), (3, 0, 0)}
    assert all(tick.price.is_finite() for tick in found)


@pytest.mark.parametrize(
    "broken",
    [
        "no frame at all",
        f"{MS}000000 {{not json",
        frame({**TRADE_EVENT, "p": "0"}),
        frame({**TRADE_EVENT, "p": None}),
        frame({**TRADE_EVENT, "s": 5}),
        frame({"e": "trade"}),
    ],
)
def test_frame_that_makes_no_sense_is_dropped_and_counted(tmp_path: Path, broken: str) -> None:
    recorded = RecordedTicks(write(tmp_path, frame(TRADE_EVENT), broken, name="frames.txt"), [])
    assert list(recorded) == [TICK]
    assert (recorded.dropped, recorded.first_dropped) == (1, 2)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"nowhere\.csv:1: cannot be read"):
        ticks(tmp_path / "nowhere.csv")


def test_file_that_breaks_off_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-trades.csv.gz"
    path.write_bytes(gzip.compress("\n".join([SPOT_TRADE] * 5_000).encode())[:-20])
    with pytest.raises(FeedError, match=r"BTCUSDT-trades\.csv\.gz:\d+: cannot be read"):
        ticks(path)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("a,b,c", "1,2,3"), ":1: neither trades, aggTrades nor klines"),
        (("1,2,3",), ":1: neither trades, aggTrades nor klines"),
        (("",), ":1: the file is empty"),
        ((TRADES_HEADER, "1,zero,1,1,1,true"), ":2: the file holds no price"),
    ],
)
def test_file_without_prices_says_why(tmp_path: Path, lines: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(FeedError, match=complaint):
        ticks(write(tmp_path, *lines))


def test_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-trades.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", SPOT_TRADE)
        archive.writestr("b.csv", SPOT_TRADE)
    with pytest.raises(FeedError, match="found 2"):
        ticks(path)


def test_dump_of_unknown_name_holds_the_symbol_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, SPOT_TRADE, name="prices.csv")
    assert [tick.symbol for tick in ticks(path, "ETHUSDT")] == ["ETHUSDT"]
    with pytest.raises(FeedError, match="whose prices"):
        ticks(path)
