"""Isolated margin over REST: the `Exchange` port on python-binance's client."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading.domain.rounding import to_wire
from trading.domain.types import (
    Candle,
    ListedPair,
    MarginPair,
    MarketOrder,
    OrderReport,
    OwnTrade,
    SymbolRules,
    Tick,
)
from trading.exchange import parsing, parsing_market
from trading.exchange.calls import Caller, CallSettings
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import BadAnswer, OutcomeUnknown, Refused
from trading.exchange.parsing import ListenToken
from trading.exchange.rules_cache import RulesCache

_PAGE = 1000
_SYMBOLS_PER_CALL = 5
_RULES_PER_CALL = 100
_HOUR_MS = 3_600_000
# A little less than the 24 h that margin allows between the ends of one question.
_LAST_DAY_MS = 24 * _HOUR_MS - 60_000
_TOKEN_MS = 24 * _HOUR_MS
_NO_SUCH_ORDER = -2013
_NOT_OPEN = -2011
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,36}", re.ASCII)


class BinanceMargin:
    """One account's isolated margin. Not thread-safe: one per thread.

    A connection that idles for long is closed by the exchange, and the next order then pays for a handshake:
    whoever sends orders calls `sync_clock` about twice a minute, which keeps both the clock and the
    connection ready.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        api_key: str,
        api_secret: str,
        settings: CallSettings | None = None,
        rules: RulesCache | None = None,
    ) -> None:
        """`rules` may be shared by connections to the same exchange, in all threads."""
        self._caller = Caller(endpoints, api_key, api_secret, settings or CallSettings())
        self._http = self._caller.http
        self._rules = rules or RulesCache()

    def close(self) -> None:
        """Close the connections."""
        self._http.session.close()

    def now_ms(self) -> int:
        return self._caller.now_ms()

    def sync_clock(self) -> int:
        return self._caller.sync_clock()

    def ensure_clock(self) -> None:
        self._caller.ensure_clock()

    def symbol_rules(self, symbol: str) -> SymbolRules:
        return self._rules.get(symbol, self.now_ms(), self._ask_rules)

    def _ask_rules(self, symbol: str) -> SymbolRules:
        answer = self._caller.query("symbol_rules", self._http.get_symbol_filters, symbol=symbol)
        return parsing_market.symbol_rules(answer, symbol=symbol)

    def listed_pairs(self) -> Sequence[ListedPair]:
        """All pairs of isolated margin that can be bought and sold, in one call. Asked by pages only."""
        return parsing_market.listed_pairs(
            self._caller.query("listed_pairs", self._http.get_all_isolated_margin_symbols)
        )

    def learn_rules(self, symbols: Collection[str]) -> None:
        # One call for all weighs as much as a call for one.
        missing = self._rules.missing(symbols, self.now_ms())
        for start in range(0, len(missing), _RULES_PER_CALL):
            some = missing[start : start + _RULES_PER_CALL]
            # Escaped, a symbol that is not spelled in ASCII would be refused.
            wanted = json.dumps(some, separators=(",", ":"), ensure_ascii=False)
            try:
                answer = self._caller.query("symbol_rules", self._http.get_symbol_filters, symbols=wanted)
            except Refused:
                # One of them is not traded any more, and the exchange says no more about the others.
                continue
            for rules in parsing_market.rules_of_all(answer):
                self._rules.put(rules, self.now_ms())

    def price(self, symbol: str) -> Tick:
        asked_ms = self.now_ms()
        answer = self._caller.query("price", self._http.get_symbol_ticker, symbol=symbol)
        return parsing_market.price(answer, symbol=symbol, asked_ms=asked_ms)

    def prices(self) -> Mapping[str, Decimal]:
        return parsing_market.prices(self._caller.query("prices", self._http.get_symbol_ticker))

    def candles(self, symbol: str, interval: str, *, limit: int) -> Sequence[Candle]:
        answer = self._caller.query(
            "candles", self._http.get_klines, symbol=symbol, interval=interval, limit=limit
        )
        return parsing_market.candles(answer, symbol=symbol, interval=interval, now_ms=self.now_ms())

    def candles_between(self, symbol: str, interval: str, *, start_ms: int, end_ms: int) -> Sequence[Candle]:
        span = {"startTime": start_ms, "endTime": end_ms}
        answer = self._caller.query(
            "candles", self._http.get_klines, symbol=symbol, interval=interval, limit=_PAGE, **span
        )
        return parsing_market.candles(answer, symbol=symbol, interval=interval, now_ms=self.now_ms())

    def aggregate_trades(self, symbol: str, *, start_ms: int, end_ms: int) -> Sequence[Tick]:
        found = self._aggregate_trades_from(symbol, start_ms, end_ms)
        return [tick for tick in found if start_ms <= tick.time_ms <= end_ms]

    def _aggregate_trades_from(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[Tick]:
        # Binance answers a span of at most an hour; from a full page on, ids lead to the rest.
        while start_ms <= end_ms:
            span_end = min(start_ms + _HOUR_MS - 1, end_ms)
            page = self._aggregate_trades_page(symbol, startTime=start_ms, endTime=span_end)
            yield from (tick for _, tick in page)
            if len(page) == _PAGE:
                yield from self._aggregate_trades_after(symbol, page, end_ms)
                return
            start_ms = span_end + 1

    def _aggregate_trades_after(
        self, symbol: str, page: list[tuple[int, Tick]], end_ms: int
    ) -> Iterator[Tick]:
        while len(page) == _PAGE and page[-1][1].time_ms <= end_ms:
            page = self._aggregate_trades_page(symbol, fromId=page[-1][0] + 1)
            yield from (tick for _, tick in page)

    def _aggregate_trades_page(self, symbol: str, **where: int) -> list[tuple[int, Tick]]:
        answer = self._caller.query(
            "aggregate_trades", self._http.get_aggregate_trades, symbol=symbol, limit=_PAGE, **where
        )
        return parsing_market.aggregate_trades(answer, symbol=symbol)

    def margin_pairs(self, symbols: Collection[str] = ()) -> Mapping[str, MarginPair]:
        if not symbols:
            return self._margin_pairs()
        wanted = sorted(set(symbols))
        found: dict[str, MarginPair] = {}
        for start in range(0, len(wanted), _SYMBOLS_PER_CALL):
            some = wanted[start : start + _SYMBOLS_PER_CALL]
            pairs = self._margin_pairs(symbols=",".join(some))
            if not pairs.keys() <= set(some):
                raise BadAnswer(f"symbols {sorted(pairs)} answered for {some}")
            found |= pairs
        return found

    def _margin_pairs(self, **params: str) -> dict[str, MarginPair]:
        answer = self._caller.query("margin_pairs", self._http.get_isolated_margin_account, **params)
        return parsing.margin_pairs(answer)

    def send_market_order(self, order: MarketOrder) -> OrderReport:
        params = _order_params(order)
        try:
            answer = self._caller.once("send_market_order", self._http.create_margin_order, **params)
            report = parsing.order(answer, received_ms=self.now_ms())
        except BadAnswer as error:
            raise OutcomeUnknown(f"the answer to an order is unclear: {error.message}") from error
        if (report.symbol, report.client_order_id) != (order.symbol, order.client_order_id):
            raise OutcomeUnknown(f"the answer names {report.symbol} {report.client_order_id}")
        return report

    def find_order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        return self._find_order(**_one_order(symbol, client_order_id))

    def find_order_by_id(self, symbol: str, order_id: str) -> OrderReport | None:
        return self._find_order(**_isolated(symbol), orderId=order_id)

    def _find_order(self, **which: str) -> OrderReport | None:
        try:
            answer = self._caller.query("find_order", self._http.get_margin_order, **which)
        except Refused as error:
            if error.code == _NO_SUCH_ORDER:
                return None
            raise
        return parsing.order(answer, received_ms=self.now_ms())

    def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        answer = self._caller.query("open_orders", self._http.get_open_margin_orders, **_isolated(symbol))
        return parsing.orders(answer, received_ms=self.now_ms())

    def cancel_order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        try:
            answer = self._caller.with_right_clock(
                "cancel_order", self._http.cancel_margin_order, **_one_order(symbol, client_order_id)
            )
            return parsing.order(answer, received_ms=self.now_ms())
        except Refused as error:
            if error.code == _NOT_OPEN:
                return None
            raise
        except BadAnswer as error:
            raise OutcomeUnknown(f"the answer to a cancel is unclear: {error.message}") from error

    def trades(
        self, symbol: str, *, order_id: str | None = None, from_id: int | None = None
    ) -> Sequence[OwnTrade]:
        where: dict[str, Any] = {"orderId": order_id, "fromId": from_id}
        if order_id is None and from_id is None:
            # Without a start the exchange would answer with the newest page and leave out what came before.
            where["startTime"] = self.now_ms() - _LAST_DAY_MS
        found: list[OwnTrade] = []
        while True:
            page = self._trades_page(symbol, **where)
            if found and page and page[0].trade_id <= found[-1].trade_id:
                raise BadAnswer(f"trades do not go on: {page[0].trade_id} after {found[-1].trade_id}")
            found += page
            if len(page) < _PAGE:
                return found
            where = {"orderId": order_id, "fromId": page[-1].trade_id + 1}

    def _trades_page(self, symbol: str, **where: Any) -> list[OwnTrade]:
        params = {**_isolated(symbol), "limit": _PAGE, **where}
        return parsing.trades(self._caller.query("trades", self._http.get_margin_trades, **params))

    def repay(self, symbol: str, asset: str, amount: Decimal) -> str:
        """Repay `amount` of `asset` in the pair; gives the transaction's id. One request, never repeated.

        For what an AUTO_REPAY left behind: it can fail silently while another repayment is in progress.
        """
        params = {**_isolated(symbol), "asset": asset, "amount": to_wire(amount), "type": "REPAY"}
        try:
            return parsing.transaction_id(
                self._caller.once("repay", self._http.margin_borrow_repay, **params)
            )
        except BadAnswer as error:
            raise OutcomeUnknown(f"the answer to a repayment is unclear: {error.message}") from error

    def listen_token(self, symbol: str, *, validity_ms: int = _TOKEN_MS) -> ListenToken:
        """A token for the user data of one pair, for `UserStream`. A day is the longest validity."""
        answer = self._caller.query(
            "listen_token",
            self._http.margin_create_listen_token,
            symbol=symbol,
            is_isolated=True,
            validity=validity_ms,
        )
        return parsing.listen_token(answer)


def _isolated(symbol: str) -> dict[str, str]:
    return {"symbol": symbol, "isIsolated": "TRUE"}


def _one_order(symbol: str, client_order_id: str) -> dict[str, str]:
    return {**_isolated(symbol), "origClientOrderId": client_order_id}


def _order_params(order: MarketOrder) -> dict[str, str]:
    """Raises ValueError for a client order id that Binance would refuse."""
    if not _CLIENT_ID.fullmatch(order.client_order_id):
        raise ValueError(f"not a client order id: {order.client_order_id!r}")
    return {
        **_isolated(order.symbol),
        "side": order.side,
        "type": "MARKET",
        "quantity": to_wire(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "FULL",
        "sideEffectType": order.side_effect,
        "timestamp": str(order.timestamp_ms),
        "recvWindow": str(order.recv_window_ms),
    }
