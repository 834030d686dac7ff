"""The `Exchange` port on the simulator's own objects: its answers, Robson's parsers, no socket."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from simulator import errors, orderform, signing, views
from simulator.exchange import Exchange as Simulator
from simulator.faults import Fault
from simulator.market.candles import Candle as SimulatedCandle
from simulator.market.trades import TradePrint
from simulator.orders import Order, OrderRequest
from simulator.rest import market_json
from simulator.symbols import exchange_info_json, fixed
from tests.model.clock import LogicalClock
from tests.model.executors import NEVER_READ, Point, here, reached
from tests.model.troubles import PLAIN_ERRORS, Flight, Mishap, Trouble, Troubles, no_answer
from trading import gateway
from trading.domain.rounding import to_wire
from trading.domain.types import Candle, MarginPair, MarketOrder, OrderReport, OwnTrade, SymbolRules, Tick
from trading.exchange import parsing, parsing_market
from trading.exchange.classify import Signal, from_answer
from trading.exchange.rules_cache import RulesCache
from trading.planning import EARLY_READ_LASTS

KEY = "model-key"
DAY_MS = 24 * 3_600_000
NO_SUCH_ORDER, NOT_OPEN = -2013, -2011

Answer = TypeVar("Answer")


class Bridge:
    """One account on one simulated exchange. Every call takes a millisecond."""

    def __init__(self, simulator: Simulator, clock: LogicalClock) -> None:
        self.simulator = simulator
        self.troubles = Troubles()
        self.flights: list[Flight] = []
        self.executed: list[tuple[Order, Decimal]] = []
        """Robson's executed orders, each with what was held before it (base currency, signed)."""
        self._clock = clock
        self._rules = RulesCache()

    def now_ms(self) -> int:
        return self._clock.ms

    def sync_clock(self) -> int:
        return 0

    def ensure_clock(self) -> None:
        """It is the simulator's own."""

    def symbol_rules(self, symbol: str) -> SymbolRules:
        return self._rules.get(symbol, self.now_ms(), self._ask_rules)

    def learn_rules(self, symbols: Collection[str]) -> None:
        for symbol in symbols:
            self.symbol_rules(symbol)

    def _ask_rules(self, symbol: str) -> SymbolRules:
        info = self.simulator.catalog[symbol]
        body = self._ask("symbol_rules", lambda: exchange_info_json([info], server_time_ms=self.now_ms()))
        return parsing_market.symbol_rules(body, symbol=symbol)

    def price(self, symbol: str) -> Tick:
        asked_ms = self.now_ms()
        body = self._ask("price", lambda: {"symbol": symbol, "price": self._price(symbol)})
        return parsing_market.price(body, symbol=symbol, asked_ms=asked_ms)

    def prices(self) -> Mapping[str, Decimal]:
        symbols = self.simulator.catalog
        return parsing_market.prices(
            self._ask("prices", lambda: [{"symbol": name, "price": self._price(name)} for name in symbols])
        )

    def _price(self, symbol: str) -> str:
        return fixed(self.simulator.board.last_price(symbol) or Decimal(0))

    def candles(self, symbol: str, interval: str, *, limit: int) -> Sequence[Candle]:
        found: list[SimulatedCandle] = self._ask(
            "candles", lambda: self.simulator.board.candles(symbol, interval, limit=limit)
        )
        body = [market_json.kline(candle) for candle in found]
        return parsing_market.candles(body, symbol=symbol, interval=interval, now_ms=self.now_ms())

    def candles_between(self, symbol: str, interval: str, *, start_ms: int, end_ms: int) -> Sequence[Candle]:
        found: list[SimulatedCandle] = self._ask(
            "candles",
            lambda: self.simulator.board.candles(
                symbol, interval, start_ms=start_ms, end_ms=end_ms, limit=1_000
            ),
        )
        body = [market_json.kline(candle) for candle in found]
        return parsing_market.candles(body, symbol=symbol, interval=interval, now_ms=self.now_ms())

    def aggregate_trades(self, symbol: str, *, start_ms: int, end_ms: int) -> Sequence[Tick]:
        found: list[TradePrint] = self._ask(
            "aggregate_trades",
            lambda: self.simulator.board.agg_trades(symbol, start_ms=start_ms, end_ms=end_ms, limit=1_000),
        )
        body = [market_json.agg_trade(printed) for printed in found]
        return [tick for _, tick in parsing_market.aggregate_trades(body, symbol=symbol)]

    def margin_pairs(self, symbols: Collection[str] = ()) -> Mapping[str, MarginPair]:
        if symbols:
            _reading_lasts(math.inf)
        return parsing.margin_pairs(self._ask("margin_pairs", lambda: {"assets": self._pairs(symbols)}))

    def read_beside(self, symbol: str) -> MarginPair:
        """One pair, asked for by another thread of whoever runs here. Raises ExchangeError."""
        if self.troubles.next_question_fails():
            raise no_answer("margin_pairs")
        _reading_lasts(self.now_ms() + EARLY_READ_LASTS // timedelta(milliseconds=1))
        return parsing.margin_pairs({"assets": self._pairs([symbol])})[symbol]

    def _pairs(self, symbols: Collection[str]) -> list[dict[str, Any]]:
        wanted = sorted(symbols) or list(self.simulator.accounts[KEY].pairs)
        one = Decimal(1)
        return [views.isolated(self.simulator.pair(KEY, symbol), one, one, one) for symbol in wanted]

    def send_market_order(self, order: MarketOrder) -> OrderReport:
        gateway.refuse_in_transaction("send_market_order")
        # Its quantity is decided: whatever it was decided by counts until it is sent.
        _reading_lasts(math.inf)
        reached(Point.ASKS)
        self._clock.ms += 1
        _reading_lasts(NEVER_READ)
        trouble = self.troubles.next_order()
        placed = self._attempt(order, trouble)
        reached(Point.ANSWERED)
        if trouble is not None and trouble.mishap is Mishap.ANSWER_LOST:
            raise no_answer("send_market_order")
        body = views.placed(placed)
        if trouble is not None and trouble.mishap is Mishap.ANSWERED_WITHOUT_FILLS:
            body |= {"fills": [], "cummulativeQuoteQty": "0"}
        return parsing.order(body, received_ms=self.now_ms())

    def _attempt(self, order: MarketOrder, trouble: Trouble | None) -> Order:
        """Raises ExchangeError unless the order was executed, in whole or in part."""
        if trouble is not None:
            if trouble.mishap in PLAIN_ERRORS:
                raise PLAIN_ERRORS[trouble.mishap]()
            if trouble.mishap is Mishap.LATE:
                self._depart(order, trouble)
                raise no_answer("send_market_order")
            if trouble.mishap is Mishap.PARTLY_FILLED:
                self.simulator.faults.arm(Fault("partial_fill", options={"ratio": "0.4"}, count=1))
        try:
            signing.check_fresh(_freshness(order), self.now_ms())
            return self._execute(order)
        except errors.BinanceError as error:
            raise _classified(error, "POST") from error

    def _depart(self, order: MarketOrder, trouble: Trouble) -> None:
        """Fly, unless the exchange will refuse it on arrival for being too old."""
        arrival_ms = self.now_ms() + trouble.travel_ms
        try:
            signing.check_fresh(_freshness(order), arrival_ms)
        except errors.BinanceError:
            return
        self.flights.append(Flight(order, arrival_ms + trouble.work_ms))

    def land(self) -> None:
        """Execute what has been on its way for long enough by now."""
        due = [flight for flight in self.flights if flight.executed_ms <= self.now_ms()]
        self.flights = [flight for flight in self.flights if flight not in due]
        for flight in due:
            try:
                self._execute(flight.order)
            except errors.BinanceError:
                continue

    def _execute(self, order: MarketOrder) -> Order:
        return self.place(orderform.parse(_wish(order)))

    def place(self, request: OrderRequest) -> Order:
        """The matching engine gets an order of Robson's. Raises BinanceError."""
        before = self.held(request.symbol)
        placed = self.simulator.place(KEY, request)
        self.executed.append((placed, before))
        return placed

    def held(self, symbol: str) -> Decimal:
        """The position in base currency: what is owed on balance, below zero, or what is not collateral."""
        pair = self.simulator.pair(KEY, symbol)
        return pair.base.net if pair.base.net < 0 else max(pair.position, Decimal(0))

    def find_order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        return self._find_order(lambda: self.simulator.find(KEY, symbol, None, client_order_id))

    def find_order_by_id(self, symbol: str, order_id: str) -> OrderReport | None:
        return self._find_order(lambda: self.simulator.find(KEY, symbol, int(order_id), None))

    def _find_order(self, find: Callable[[], Order]) -> OrderReport | None:
        def look() -> dict[str, Any]:
            found = find()
            if found.time_ms > self.now_ms() - self.troubles.lag_ms:
                raise errors.no_such_order()
            return views.queried(found)

        body = self._ask("find_order", look, none=NO_SUCH_ORDER)
        return parsing.order(body, received_ms=self.now_ms()) if body else None

    def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        registry = self.simulator.engine.registry
        body = self._ask("open_orders", lambda: [*map(views.queried, registry.open_orders(KEY, symbol))])
        return parsing.orders(body, received_ms=self.now_ms())

    def cancel_order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        def cancel() -> dict[str, Any]:
            return views.canceled(self.simulator.cancel(KEY, symbol, client_id=client_order_id))

        body = self._ask("cancel_order", cancel, none=NOT_OPEN, method="DELETE")
        return parsing.order(body, received_ms=self.now_ms()) if body else None

    def trades(
        self, symbol: str, *, order_id: str | None = None, from_id: int | None = None
    ) -> Sequence[OwnTrade]:
        def look() -> list[dict[str, Any]]:
            seen_ms = self.now_ms() - self.troubles.lag_ms
            oldest_ms = 0 if order_id or from_id is not None else self.now_ms() - DAY_MS
            return [
                views.trade(fill)
                for fill in self.simulator.engine.registry.fills(KEY, symbol)
                if oldest_ms <= fill.time_ms <= seen_ms
                and (order_id is None or fill.order_id == int(order_id))
                and fill.trade_id >= (from_id or 0)
            ]

        return parsing.trades(self._ask("trades", look))

    def _ask(
        self, name: str, answer: Callable[[], Answer], *, none: int | None = None, method: str = "GET"
    ) -> Any:
        """One question. The code `none` is the answer None; every other error is raised as what it means."""
        gateway.refuse_in_transaction(name)
        reached(Point.ASKS)
        self._clock.ms += 1
        if self.troubles.next_question_fails():
            raise no_answer(name)
        try:
            body = answer()
        except errors.BinanceError as error:
            if error.code == none:
                return None
            raise _classified(error, method) from error
        reached(Point.ANSWERED)
        return body


def _reading_lasts(until_ms: float) -> None:
    """Whoever runs here knows what is held, and may send an order by it until then."""
    executor = here()
    if executor is not None:
        executor.reading_lasts_until_ms = until_ms


def _classified(error: errors.BinanceError, method: str) -> Exception:
    return from_answer(Signal(error.status, error.code, error.msg, method), {})


def _freshness(order: MarketOrder) -> dict[str, str]:
    return {"timestamp": str(order.timestamp_ms), "recvWindow": str(order.recv_window_ms)}


def _wish(order: MarketOrder) -> dict[str, str]:
    return {
        "symbol": order.symbol,
        "side": order.side,
        "type": "MARKET",
        "quantity": to_wire(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "FULL",
        "sideEffectType": order.side_effect,
    }
