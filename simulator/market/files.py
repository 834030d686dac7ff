"""Files of recorded prices, plain, gzipped or zipped: public CSV dumps, or raw frames with receive times."""

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import msgspec

from simulator.market import csv_ticks
from simulator.market.ticks import TRADE_EVENTS, FeedError, Tick, event_of, tick_of

_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_FRAME = re.compile(r"^(?P<ns>\d{10,}) (?P<json>[{\[].*)$")
_NAMED_AFTER = re.compile(r"^(?P<symbol>[A-Z0-9]{5,20})[-_.]")
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


class RecordedTicks:
    """The ticks of one file, in its order. Lines that make no sense are dropped and counted.

    Iterating raises FeedError, naming file and line, for a file that cannot be read or holds no price at all.
    """

    def __init__(self, path: Path, symbols: Sequence[str]) -> None:
        self.path = path
        self.dropped = 0
        self.first_dropped = 0
        self._symbols = symbols

    def __iter__(self) -> Iterator[Tick]:
        usable = False
        for ticks in self._read():
            usable = usable or bool(ticks)
            yield from ticks
        if not usable:
            raise FeedError(
                f"{self.path}:{self.first_dropped or 1}: the file holds no price that can be used"
            )

    def _read(self) -> Iterator[list[Tick]]:
        lines = _numbered_lines(self.path)
        first = next(lines, None)
        if first is None:
            raise FeedError(f"{self.path}:1: the file is empty")
        if _FRAME.match(first[1]):
            yield from self._frames(first, lines)
        else:
            yield from self._rows(first, lines)

    def _rows(self, first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[list[Tick]]:
        symbol = self._symbol()
        row = csv_ticks.cells(first[1])
        try:
            read = csv_ticks.reader_for(row)
        except ValueError as error:
            raise FeedError(f"{self.path}:{first[0]}: {error}") from error
        rest = lines if csv_ticks.is_header(row) else _chain(first, lines)
        for number, line in rest:
            try:
                yield list(read(symbol, csv_ticks.cells(line)))
            except (ValueError, ArithmeticError, IndexError):
                self._drop(number)

    def _frames(self, first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[list[Tick]]:
        # Trades and their aggregates tell the same story twice: only the kind that comes first is played.
        kind: str | None = None
        for number, line in _chain(first, lines):
            found = _FRAME.match(line)
            try:
                if found is None:
                    raise ValueError("no frame")
                event = event_of(msgspec.json.decode(found["json"]))
                if event.get("e") not in TRADE_EVENTS:
                    continue
                kind = kind or event["e"]
                tick = tick_of(event, at_us=int(found["ns"]) // 1_000)
            except (ValueError, KeyError, msgspec.DecodeError):
                self._drop(number)
                continue
            if event["e"] == kind and (not self._symbols or tick.symbol in self._symbols):
                yield [tick]

    def _symbol(self) -> str:
        """Dumps are named after their symbol; any other file holds the first symbol that was asked for."""
        named = _NAMED_AFTER.match(self.path.name)
        if named:
            return named["symbol"]
        if not self._symbols:
            raise FeedError(f"{self.path}:1: whose prices are these? Name the file like BTCUSDT-trades.csv")
        return self._symbols[0]

    def _drop(self, number: int) -> None:
        self.dropped += 1
        self.first_dropped = self.first_dropped or number


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, numbered from one. Raises FeedError where the file cannot be read."""
    number = 0
    try:
        with path.open("rb") as raw:
            for number, line in enumerate(_text(raw, path), start=1):
                if line.strip():
                    yield number, line.strip()
    except _BROKEN as error:
        raise FeedError(f"{path}:{number + 1}: cannot be read: {error}") from error


def _text(raw: IO[bytes], path: Path) -> Iterator[str]:
    magic = raw.read(2)
    raw.seek(0)
    if magic == _GZIP:
        with gzip.open(raw) as unpacked:
            yield from _decoded(unpacked)
    elif magic == _ZIP:
        with zipfile.ZipFile(raw) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise FeedError(f"{path}:1: expected one file in the archive, found {len(members)}")
            with archive.open(members[0]) as member:
                yield from _decoded(member)
    else:
        yield from _decoded(raw)


def _decoded(raw: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    # What is no UTF-8 becomes a line that makes no sense, which is counted like any other.
    with TextIOWrapper(raw, "utf-8-sig", errors="replace") as text:
        yield from text


def _chain(first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from lines
