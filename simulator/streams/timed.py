"""Streams that the clock drives: candles, statistics and partial books, whether or not anybody trades."""

from collections.abc import Callable
from typing import Any

from simulator.market.board import Board
from simulator.market.daily import last_day
from simulator.streams import payloads
from simulator.streams.hub import Hub
from simulator.streams.names import ALL_MINI_TICKERS, TimedStream, timed

TICK_MS = 100
_SECOND = 1_000
_LATE_CANDLES = 10


class TimedStreams:
    """Publishes what is due on every subscribed stream whenever `tick` is called, ten times a second."""

    def __init__(self, board: Board, hub: Hub) -> None:
        self._board = board
        self._hub = hub
        self._second = 0
        self._open_ms: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._listed_at: dict[str, int] = {}

    def tick(self) -> None:
        """Publish everything due by the board's clock."""
        second = self._board.clock.now_ms() // _SECOND
        whole = second != self._second
        self._second = second
        for name in list(self._hub.subscribers):
            stream = timed(name)
            if stream is not None and stream.symbol in self._board.catalog and (whole or stream.fast):
                self._publish(stream)
        if whole:
            self._publish_all_mini_tickers()
            self._forget_unheard()

    def _publish(self, stream: TimedStream) -> None:
        match stream.kind:
            case "kline":
                self._publish_candles(stream)
            case "depth":
                self._when_changed(
                    stream, lambda: payloads.depth(self._board.book(stream.symbol, stream.levels))
                )
            case "ticker":
                self._when_changed(stream, lambda: payloads.encode(self._ticker(stream.symbol)))
            case _:
                self._when_changed(stream, lambda: payloads.encode(self._mini_ticker(stream.symbol)))

    def _publish_candles(self, stream: TimedStream) -> None:
        symbol, interval = stream.symbol, stream.interval
        now_ms = self._board.clock.now_ms()
        current = self._board.current_candle(symbol, interval)
        known = self._open_ms.get(stream.name)
        self._open_ms[stream.name] = current.open_ms
        if known is not None:
            for candle in self._board.candles_closed_since(symbol, interval, known)[-_LATE_CANDLES:]:
                final = payloads.kline(symbol, interval, candle, closed=True, now_ms=now_ms)
                self._hub.publish(stream.name, final)
        # A one-second candle is only ever seen closed; the others are updated every two seconds.
        if interval != "1s" and (known is None or self._second % 2 == 0):
            update = payloads.kline(symbol, interval, current, closed=False, now_ms=now_ms)
            self._hub.publish(stream.name, update)

    def _when_changed(self, stream: TimedStream, payload: Callable[[], bytes]) -> None:
        state = self._board.update_id(stream.symbol)
        if self._seen.get(stream.name) != state:
            self._seen[stream.name] = state
            self._hub.publish(stream.name, payload())

    def _publish_all_mini_tickers(self) -> None:
        if ALL_MINI_TICKERS not in self._hub.subscribers:
            self._listed_at.clear()
            return
        states = {symbol: self._board.update_id(symbol) for symbol in self._board.catalog}
        changed = [symbol for symbol, state in states.items() if self._listed_at.get(symbol) != state]
        self._listed_at = states
        if changed:
            tickers = [self._mini_ticker(symbol) for symbol in changed]
            self._hub.publish(ALL_MINI_TICKERS, payloads.encode(tickers))

    def _mini_ticker(self, symbol: str) -> dict[str, Any]:
        return payloads.mini_ticker(last_day(self._board, symbol))

    def _ticker(self, symbol: str) -> dict[str, Any]:
        return payloads.ticker(last_day(self._board, symbol), self._board.book(symbol, 1))

    def _forget_unheard(self) -> None:
        for state in (self._open_ms, self._seen):
            for name in [name for name in state if name not in self._hub.subscribers]:
                del state[name]
