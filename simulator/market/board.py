"""The market as everybody sees it: last prices, the tape, candles and the book, for every symbol."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from simulator.clock import Clock
from simulator.market.book import Book, Depth, book_around
from simulator.market.candles import Candle
from simulator.market.history import Anchor
from simulator.market.series import MAX_CANDLES, SymbolCandles
from simulator.market.trades import FIRST_TRADE_ID, TradePrint
from simulator.symbols import SymbolInfo

TAPE_KEPT = 5_000
DEFAULT_NOTIONAL = Decimal(250)
# Update ids of the book are numbers of another range, so that nobody can mistake one for a trade id.
_FIRST_UPDATE_ID = 50_000_000

Listener = Callable[[TradePrint], None]


@dataclass(slots=True)
class Market:
    """One symbol's state."""

    info: SymbolInfo
    anchor: Anchor
    last_price: Decimal
    candles: SymbolCandles
    depth: Depth = field(default_factory=Depth)
    next_id: int = FIRST_TRADE_ID
    tape: deque[TradePrint] = field(default_factory=lambda: deque(maxlen=TAPE_KEPT))


class Board:
    """Prices in quote currency, quantities in base, times in milliseconds.

    Symbols outside the catalog raise KeyError.
    """

    def __init__(self, clock: Clock, catalog: Mapping[str, SymbolInfo]) -> None:
        self.clock = clock
        self.catalog = catalog
        self.listeners: list[Listener] = []
        self._markets: dict[str, Market] = {}
        for info in catalog.values():
            self.anchor(info.symbol, info.reference_price)

    def anchor(self, symbol: str, price: Decimal, *, seed: int | None = None) -> None:
        """Open the symbol's market afresh at `price`, with nothing printed.

        History is made up from `seed`, or flat without one.
        """
        info = self.catalog[symbol]
        start = Anchor(info, on_tick(info, price), self.clock.now_ms(), seed)
        self._markets[symbol] = Market(info, start, start.price, SymbolCandles(start))

    def reset(self) -> None:
        """Open every market afresh where it was last anchored. Listeners stay."""
        for symbol, market in list(self._markets.items()):
            self.anchor(symbol, market.anchor.price, seed=market.anchor.seed)

    def set_depth(self, symbol: str, depth: Depth) -> None:
        """Make the book of a symbol thinner or deeper from now on, until a reset."""
        self._markets[symbol].depth = depth

    def print_trade(
        self,
        symbol: str,
        price: Decimal,
        quantity: Decimal | None = None,
        *,
        buyer_is_maker: bool = False,
        time_ms: int | None = None,
    ) -> TradePrint:
        """Record a trade, then tell every listener, in order. Without a quantity it is a small one.

        The price is moved onto the symbol's tick. Raises ValueError unless price and quantity are positive.
        """
        market = self._markets[symbol]
        price = on_tick(market.info, price)
        quantity = _small_quantity(market.info, price) if quantity is None else quantity
        if not (quantity.is_finite() and quantity > 0):
            raise ValueError(f"the quantity of a trade must be positive, not {quantity}")
        trade = TradePrint(
            symbol,
            market.next_id,
            price,
            quantity,
            self.clock.now_ms() if time_ms is None else time_ms,
            buyer_is_maker,
            time.monotonic_ns(),
        )
        market.next_id += 1
        market.last_price = price
        market.tape.append(trade)
        market.candles.add(trade)
        for listener in self.listeners:
            listener(trade)
        return trade

    def last_price(self, symbol: str) -> Decimal | None:
        """The last trade's price, the anchor's before the first trade, None for a symbol nobody knows."""
        market = self._markets.get(symbol)
        return market.last_price if market else None

    def last_trade(self, symbol: str) -> TradePrint | None:
        """The newest print, None before the first."""
        tape = self._markets[symbol].tape
        return tape[-1] if tape else None

    def book(self, symbol: str, limit: int = 20) -> Book:
        """Up to `limit` levels a side around the last price."""
        market = self._markets[symbol]
        return book_around(
            market.info,
            market.last_price,
            depth=market.depth,
            limit=limit,
            update_id=self.update_id(symbol),
        )

    def update_id(self, symbol: str) -> int:
        """The book's update id; it grows with every print."""
        return _FIRST_UPDATE_ID + self._markets[symbol].next_id - FIRST_TRADE_ID

    def trades(self, symbol: str, *, limit: int = 500) -> list[TradePrint]:
        """The newest trades, oldest first."""
        tape = self._markets[symbol].tape
        return list(islice(tape, max(0, len(tape) - limit), None))

    def agg_trades(
        self,
        symbol: str,
        *,
        from_id: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[TradePrint]:
        """Aggregate trades, oldest first: from an id or a time on (both inclusive), or else the newest."""
        chosen = [
            trade
            for trade in self._markets[symbol].tape
            if (from_id is None or trade.agg_id >= from_id)
            and (start_ms is None or trade.time_ms >= start_ms)
            and (end_ms is None or trade.time_ms <= end_ms)
        ]
        return chosen[-limit:] if from_id is None and start_ms is None else chosen[:limit]

    def candles(
        self,
        symbol: str,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[Candle]:
        """Candles by opening time, oldest first.

        The first `limit` from `start_ms` on, or the last `limit` up to `end_ms`; the open one is included.
        """
        candles = self._markets[symbol].candles
        limit = min(limit, MAX_CANDLES)
        return candles.span(interval, self.clock.now_ms(), start_ms=start_ms, end_ms=end_ms, limit=limit)

    def current_candle(self, symbol: str, interval: str) -> Candle:
        """The candle open now, so far."""
        return self._markets[symbol].candles.current(interval, self.clock.now_ms())

    def candles_closed_since(self, symbol: str, interval: str, open_ms: int) -> list[Candle]:
        """Candles that opened at `open_ms` or later and have closed by now, oldest first."""
        return self._markets[symbol].candles.closed_since(interval, open_ms, self.clock.now_ms())


def on_tick(info: SymbolInfo, price: Decimal) -> Decimal:
    """The nearest price the symbol can trade at. Raises ValueError unless it is positive and finite."""
    if not (price.is_finite() and price > 0):
        raise ValueError(f"a price must be positive, not {price}")
    if price > info.max_price:
        raise ValueError(f"a price of {price} is beyond the {info.max_price} that {info.symbol} allows")
    return max(info.tick, (price / info.tick).to_integral_value() * info.tick)


def _small_quantity(info: SymbolInfo, price: Decimal) -> Decimal:
    return max(info.min_qty, DEFAULT_NOTIONAL / price // info.step * info.step)
