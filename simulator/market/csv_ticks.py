"""Prices out of Binance's public CSV dumps: trades, aggTrades and klines, spot and futures, header or not."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from simulator.market.ticks import Tick, microseconds, positive

Row = list[str]
RowReader = Callable[[str, Row], Iterator[Tick]]

_BOOLEANS = {"true": True, "false": False}
_KLINE_COLUMNS = 12
_PRINTS_PER_CANDLE = 4


def cells(line: str) -> Row:
    """The columns of one line."""
    return [cell.strip() for cell in line.split(",")]


def is_header(row: Row) -> bool:
    """Whether a first row names columns instead of holding data."""
    return not row[0].isdigit()


def reader_for(row: Row) -> RowReader:
    """How to read rows like this one, header or data. Raises ValueError for a row of no known dump."""
    names = {name.lower() for name in row}
    if is_header(row):
        known = {"open_time": _kline, "agg_trade_id": _agg_trade, "id": _trade}
        for name, reader in known.items():
            if name in names:
                return reader
    elif len(row) == _KLINE_COLUMNS:
        return _kline
    elif (maker := _first_boolean(row)) is not None:
        # The maker flag follows the time stamp: sixth column in trades, seventh in aggTrades.
        readers = {5: _trade, 6: _agg_trade}
        if maker in readers:
            return readers[maker]
    raise ValueError("neither trades, aggTrades nor klines")


def _first_boolean(row: Row) -> int | None:
    return next((index for index, cell in enumerate(row) if cell.lower() in _BOOLEANS), None)


def _trade(symbol: str, row: Row) -> Iterator[Tick]:
    yield Tick(symbol, positive(row[1]), microseconds(row[4]), positive(row[2]), _flag(row[5]))


def _agg_trade(symbol: str, row: Row) -> Iterator[Tick]:
    yield Tick(symbol, positive(row[1]), microseconds(row[5]), positive(row[2]), _flag(row[6]))


def _kline(symbol: str, row: Row) -> Iterator[Tick]:
    """Four prints, a quarter of the volume each: the open, the two extremes, the close.

    The extreme away from the close comes first, as in most candles it did.
    """
    first, high, low, last = (positive(cell) for cell in row[1:5])
    if not low <= min(first, last) <= max(first, last) <= high:
        raise ValueError("high and low do not enclose open and close")
    opened, closed = microseconds(row[0]), microseconds(row[6])
    volume = Decimal(row[5]) / _PRINTS_PER_CANDLE
    extremes = (low, high) if last >= first else (high, low)
    for number, price in enumerate((first, *extremes, last)):
        at_us = opened + (closed - opened) * number // (_PRINTS_PER_CANDLE - 1)
        yield Tick(symbol, price, at_us, volume if volume > 0 else None)


def _flag(cell: str) -> bool:
    try:
        return _BOOLEANS[cell.lower()]
    except KeyError as error:
        raise ValueError(f"neither true nor false: {cell!r}") from error
