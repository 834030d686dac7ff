import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.types import Candle, Tick
from trading.exchange.frames import Drop, FrameDecoder

D = Decimal
NOW_MS = 1723161255400


def decoder_at(now_ms: int = NOW_MS) -> FrameDecoder:
    return FrameDecoder(lambda: now_ms)


def combined(data: Any, stream: str = "btcusdt@trade") -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


def trade(**changes: Any) -> dict[str, Any]:
    values = {
        "e": "trade",
        "E": 1723161255343,
        "s": "BTCUSDT",
        "t": 3735683259,
        "p": "61837.63000000",
        "q": "0.02000000",
        "T": 1723161255342,
        "m": True,
        "M": True,
    }
    return values | changes


def kline(**changes: Any) -> dict[str, Any]:
    values = {
        "t": 1723161240000,
        "T": 1723161299999,
        "s": "BTCUSDT",
        "i": "1m",
        "f": 100,
        "L": 200,
        "o": "61800.00",
        "c": "61837.63",
        "h": "61850.00",
        "l": "61790.00",
        "v": "12.5",
        "n": 100,
        "x": False,
        "q": "770000.0",
        "V": "5.0",
        "Q": "300000.0",
        "B": "0",
    }
    return {"e": "kline", "E": 1723161255343, "s": "BTCUSDT", "k": values | changes}


@pytest.mark.parametrize("event", ["trade", "aggTrade"])
def test_a_trade_is_a_tick_at_its_trade_time(event: str) -> None:
    tick = decoder_at().decode(combined(trade(e=event)))

    assert tick == Tick("BTCUSDT", D("61837.63"), 1723161255342, trade_id=3735683259)


def test_text_frames_are_read_like_binary_ones() -> None:
    frame = combined(trade())

    assert decoder_at().decode(frame.decode()) == decoder_at().decode(frame)


@pytest.mark.parametrize("closed", [True, False])
def test_a_kline_is_a_candle_that_says_whether_it_is_closed(closed: bool) -> None:
    candle = decoder_at().decode(combined(kline(x=closed), "btcusdt@kline_1m"))

    assert candle == Candle(
        symbol="BTCUSDT",
        interval="1m",
        open_time_ms=1723161240000,
        close_time_ms=1723161299999,
        open=D(61800),
        high=D(61850),
        low=D(61790),
        close=D("61837.63"),
        volume=D("12.5"),
        closed=closed,
    )


@pytest.mark.parametrize("price", ["0", "0.00000000", "-1", "Infinity", "1e99"])
def test_an_impossible_price_is_dropped(price: str) -> None:
    decoder = decoder_at()

    assert decoder.decode(combined(trade(p=price))) is None
    assert decoder.dropped == {Drop.IMPOSSIBLE_PRICE: 1}


@pytest.mark.parametrize(
    "changes", [{"l": "0"}, {"h": "61810.00"}, {"l": "61820.00"}, {"v": "-1"}, {"h": "Infinity"}, {"o": "-5"}]
)
def test_a_candle_that_contradicts_itself_is_dropped(changes: dict[str, str]) -> None:
    decoder = decoder_at()

    assert decoder.decode(combined(kline(**changes))) is None
    assert decoder.dropped == {Drop.IMPOSSIBLE_PRICE: 1}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        "\ud800",
        b"[" * 100_000,
        b'{"stream":"btcusdt@trade"}',
        b'{"stream":"btcusdt@trade","data":null}',
        combined(trade(p=None)),
        combined(trade(p="NaN")),
        combined(trade(p="sNaN")),
        combined(trade(p="price")),
        combined(trade(p="1e99999999999999999999")),
        combined(trade(s="")),
        combined(trade(s=1)),
        combined(trade(T="now")),
        combined(trade(T=0)),
        combined(kline(o="NaN")),
        combined(kline(x="false")),
        combined({"e": "kline"}),
        combined(trade())[:-20],
    ],
)
def test_a_malformed_frame_is_counted_and_nothing_else(frame: bytes | str) -> None:
    decoder = decoder_at()

    assert decoder.decode(frame) is None
    assert decoder.dropped == {Drop.MALFORMED: 1}


@pytest.mark.parametrize(
    "data", [{"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}, {"e": "depthUpdate"}, []]
)
def test_an_event_of_another_kind_is_counted_apart(data: Any) -> None:
    decoder = decoder_at()

    assert decoder.decode(combined(data)) is None
    assert decoder.dropped == {Drop.UNKNOWN_EVENT: 1}


@pytest.mark.parametrize("frame", [combined(trade(T=10**30)), combined(trade(T=NOW_MS + 60_001))])
def test_a_trade_from_the_future_is_not_believed(frame: bytes) -> None:
    decoder = decoder_at()

    assert decoder.decode(frame) is None
    assert decoder.dropped == {Drop.AHEAD_OF_TIME: 1}


def test_a_clock_a_little_behind_loses_no_trade() -> None:
    assert decoder_at(NOW_MS - 30_000).decode(combined(trade())) is not None


def test_a_candle_from_the_future_is_not_believed() -> None:
    decoder = decoder_at()

    assert decoder.decode(combined(kline(t=NOW_MS * 1000))) is None
    assert decoder.dropped == {Drop.AHEAD_OF_TIME: 1}


def test_a_bad_frame_does_not_spoil_the_next() -> None:
    decoder = decoder_at()
    decoder.decode(b"{")

    assert isinstance(decoder.decode(combined(trade())), Tick)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_nothing_that_arrives_raises(frame: bytes | str) -> None:
    assert decoder_at().decode(frame) is None


@given(st.data())
def test_a_frame_with_damaged_bytes_is_dropped_or_read_whole(data: st.DataObject) -> None:
    frame = bytearray(combined(trade()))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))

    value = decoder_at().decode(bytes(frame))

    assert value is None or (isinstance(value, Tick) and value.price > 0 and value.time_ms > 0)
