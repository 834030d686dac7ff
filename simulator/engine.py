"""Placing, executing and cancelling orders of isolated pairs. No sockets, no threads, no clock of its own."""

import random
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from simulator import errors, filters, lending, matching, positions, settlement
from simulator.accounts import Pair
from simulator.announcer import Announcer
from simulator.faults import Faults
from simulator.judging import judge
from simulator.ledger import ZERO, Ledger, floor_to, round_up
from simulator.market.board import Board
from simulator.market.trades import TradePrint
from simulator.orders import BORROWING, Fill, Order, OrderRequest
from simulator.registry import Registry
from simulator.settings import Settings

SHALLOW, DEEP = 5, 5_000
_ID_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request reached the exchange: monotonic and wall clock, nanoseconds; sent by hand or by API."""

    monotonic_ns: int
    wall_ns: int
    by_hand: bool = False


def arrival(*, by_hand: bool = False) -> Arrival:
    """An arrival now."""
    return Arrival(time.monotonic_ns(), time.time_ns(), by_hand)


class Engine:
    """The matching engine: every order, every fill, every violation."""

    def __init__(self, board: Board, faults: Faults, settings: Settings, announcer: Announcer) -> None:
        self.clock = announcer.clock
        self.announcer = announcer
        self.board = board
        self.faults = faults
        self.settings = settings
        self.ledger = Ledger()
        self.registry = Registry(self.clock.now_ms())
        self.violations: list[positions.Violation] = []
        self.pair_of: Callable[[str, str], Pair]
        self._random = random.Random(settings.seed)

    def place(self, api_key: str, pair: Pair, request: OrderRequest, arrived: Arrival) -> Order:
        """Accept an order and execute what can be executed at once.

        Raises BinanceError, and then nothing has changed, when a filter, a balance or a loan forbids it.
        """
        filters.check_tradable(pair.info, request)
        last_price = self.board.last_price(request.symbol)
        filters.check(pair.info, request, last_price)
        self._check_against_open_orders(api_key, request)
        self._check_against_price(request, last_price)
        order = self._draft(api_key, pair, request, arrived)
        self._fund(pair, order, self._needed(order))
        self.registry.add(order)
        self.announcer.report(order, "NEW")
        if order.is_working:
            self._execute(pair, order)
        else:
            self.announcer.balances(pair, order.api_key)
        return order

    def cancel(self, pair: Pair, order: Order, client_id: str | None = None) -> Order:
        """Cancel an open order. Raises -2011 when it is not open any more."""
        if not order.is_live:
            raise errors.unknown_order()
        order.cancel_client_order_id = client_id or self._new_id()
        self._end(pair, order, "CANCELED")
        self.announcer.balances(pair, order.api_key)
        return order

    def on_print(self, trade: TradePrint) -> None:
        """A trade was printed: trigger stops and fill resting orders."""
        for order in self.registry.live(trade.symbol):
            pair = self.pair_of(order.api_key, order.symbol)
            if matching.fills_resting(order, trade.price):
                self._fill_resting(pair, order)
            elif matching.triggers(order, trade.price):
                order.is_working, order.working_ms = True, self.clock.now_ms()
                self._execute(pair, order)

    def _check_against_open_orders(self, api_key: str, request: OrderRequest) -> None:
        client_id = request.client_order_id
        if client_id and self.registry.is_client_id_open(api_key, request.symbol, client_id):
            raise errors.rejected("Duplicate order sent.")
        open_orders = self.registry.open_orders(api_key, request.symbol)
        filters.check_open_orders(request, [order.request.type for order in open_orders])

    def _check_against_price(self, request: OrderRequest, last_price: Decimal | None) -> None:
        if last_price is None:
            return
        if request.stop_price is not None and matching.would_trigger(
            request.type, request.side, request.stop_price, last_price
        ):
            raise errors.rejected("Stop price would trigger immediately.")
        if request.type == "LIMIT_MAKER" and self._levels(request.symbol, request.side, 1, request.price):
            raise errors.rejected("Order would immediately match and take.")

    def _draft(self, api_key: str, pair: Pair, request: OrderRequest, arrived: Arrival) -> Order:
        now_ms = self.clock.now_ms()
        works = not request.is_triggered
        return Order(
            order_id=self.registry.next_order_id(),
            api_key=api_key,
            request=request,
            client_order_id=request.client_order_id or self._new_id(),
            quantity=self._quantity(pair, request),
            time_ms=now_ms,
            by_hand=arrived.by_hand,
            received_ns=arrived.monotonic_ns,
            received_wall_ns=arrived.wall_ns,
            update_ms=now_ms,
            is_working=works,
            working_ms=now_ms if works else 0,
        )

    def _quantity(self, pair: Pair, request: OrderRequest) -> Decimal:
        if request.quantity is not None:
            return request.quantity
        levels = self._levels(request.symbol, request.side, DEEP)
        quantity = matching.affordable(levels, request.quote_quantity or ZERO, pair.info.step)
        if quantity < pair.info.min_qty:
            raise errors.filter_failure("LOT_SIZE")
        return quantity

    def _needed(self, order: Order) -> Decimal:
        if order.side == "SELL":
            return order.quantity
        price = order.request.price or order.request.stop_price
        if price is not None:
            return round_up(price * order.quantity)
        return matching.cost(self._takes(order, order.quantity))

    def _fund(self, pair: Pair, order: Order, needed: Decimal) -> None:
        wallet = settlement.spending(pair, order.side)
        missing = needed - wallet.free
        if missing > 0:
            if order.request.side_effect not in BORROWING:
                raise errors.insufficient_balance()
            self.lend(pair, wallet.asset, missing)
            order.loan, order.loan_asset = missing, wallet.asset
        settlement.reserve(self.ledger, pair, order, needed)

    def lend(self, pair: Pair, asset: str, amount: Decimal) -> None:
        """Borrow for a pair. Raises -3006 past the most that its leverage allows, -3027 for another asset."""
        wallet, price = pair.wallet(asset), self.board.last_price(pair.info.symbol)
        if wallet is None or price is None:
            raise errors.not_a_margin_asset()
        if amount > lending.max_borrow(pair, asset, price, self.settings.leverage):
            raise errors.borrow_exceeds_maximum()
        rate = self.settings.interest_per_hour
        lending.borrow(self.ledger, wallet, amount, rate=rate, now_ms=self.clock.now_ms())

    def _levels(
        self, symbol: str, side: str, limit: int, worst: Decimal | None = None
    ) -> list[matching.Level]:
        book = self.board.book(symbol, limit)
        levels = book.asks if side == "BUY" else book.bids
        if worst is None:
            return levels
        return [level for level in levels if not matching.is_worse(level[0], worst, side)]

    def _takes(self, order: Order, quantity: Decimal) -> list[matching.Level]:
        price, side = order.request.price, order.side
        takes = matching.sweep(self._levels(order.symbol, side, SHALLOW), quantity, price, side)
        if matching.taken(takes) == quantity or len(takes) < SHALLOW:
            return takes
        return matching.sweep(self._levels(order.symbol, side, DEEP), quantity, price, side)

    def _execute(self, pair: Pair, order: Order) -> None:
        fault = self.faults.take("partial_fill", symbol=order.symbol, api_key=order.api_key)
        wanted = order.remaining
        if fault is not None:
            wanted = floor_to(wanted * Decimal(str(fault.options.get("ratio", "0.5"))), pair.info.step)
        takes = self._within_means(pair, order, self._takes(order, wanted))
        if order.request.time_in_force == "FOK" and matching.taken(takes) < order.remaining:
            takes = []
        self._apply(pair, order, takes, is_maker=False)
        if order.is_live and (
            fault or order.request.is_market or order.request.time_in_force in ("IOC", "FOK")
        ):
            self._end(pair, order, "EXPIRED")
        self.announcer.balances(pair, order.api_key)

    def _within_means(self, pair: Pair, order: Order, takes: list[matching.Level]) -> list[matching.Level]:
        """A triggered BUY at market may cost more than was locked: the free balance helps out."""
        if order.side == "SELL" or (shortage := matching.cost(takes) - order.reserved) <= 0:
            return takes
        settlement.reserve(self.ledger, pair, order, min(shortage, pair.quote.free))
        quantity = matching.affordable(takes, order.reserved, pair.info.step)
        return matching.sweep(takes, quantity, None, order.side)

    def _fill_resting(self, pair: Pair, order: Order) -> None:
        self._apply(pair, order, [(order.request.price or ZERO, order.remaining)], is_maker=True)
        self.announcer.balances(pair, order.api_key)

    def _apply(self, pair: Pair, order: Order, takes: list[matching.Level], *, is_maker: bool) -> None:
        if not takes:
            return
        before = pair.position
        fills = [self._settle(pair, order, take, is_maker=is_maker) for take in takes]
        settlement.repay_from(self.ledger, pair, order, fills)
        self.violations += judge(pair, order, before, fills[-1].price)
        if not order.is_live:
            self._end(pair, order, order.status)
        elif order.side == "BUY" and order.request.price is not None:
            settlement.release(self.ledger, pair, order, keep=round_up(order.request.price * order.remaining))

    def _settle(self, pair: Pair, order: Order, take: matching.Level, *, is_maker: bool) -> Fill:
        now_ms = self.clock.now_ms()
        trade_id = self.registry.next_trade_id(order.symbol)
        trade = settlement.Trade(trade_id, *take, is_maker, now_ms)
        fill = settlement.settle(self.ledger, pair, order, trade)
        order.status = "PARTIALLY_FILLED" if order.remaining > 0 else "FILLED"
        order.update_ms = now_ms
        self.registry.note_fill(order, fill)
        self.announcer.report(order, "TRADE", fill)
        return fill

    def _end(self, pair: Pair, order: Order, status: str) -> None:
        order.status = status
        order.update_ms = self.clock.now_ms()
        unspent = settlement.release(self.ledger, pair, order)
        settlement.undo_loan(self.ledger, pair, order, unspent)
        self.registry.ended(order)
        if status != "FILLED":
            self.announcer.report(order, status)

    def _new_id(self) -> str:
        return "".join(self._random.choices(_ID_LETTERS, k=22))
