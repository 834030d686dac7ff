"""Prices, tape and book."""

from decimal import Decimal

import pytest

from simulator.market.board import TAPE_KEPT
from simulator.market.book import NOTHING, Depth
from simulator.market.trades import TradePrint
from simulator.symbols import CATALOG
from tests.simulator.market.support import START_MS, board_at

SYMBOL = "BTCUSDT"


def test_listeners_hear_of_a_trade_that_the_board_already_shows() -> None:
    board, _ = board_at()
    heard: list[tuple[TradePrint, Decimal | None]] = []
    board.listeners.append(lambda trade: heard.append((trade, board.last_price(trade.symbol))))
    trade = board.print_trade(SYMBOL, Decimal("61000.01"), Decimal("0.5"), buyer_is_maker=True)
    assert heard == [(trade, Decimal("61000.01"))]
    assert (trade.price, trade.quantity, trade.time_ms) == (Decimal("61000.01"), Decimal("0.5"), START_MS)
    assert trade.buyer_is_maker
    assert trade.published_ns > 0


def test_price_before_the_first_trade_is_the_reference_price() -> None:
    board, _ = board_at()
    assert board.last_price(SYMBOL) == CATALOG[SYMBOL].reference_price
    assert board.last_trade(SYMBOL) is None
    assert board.last_price("NOSUCHPAIR") is None


def test_price_is_moved_onto_the_tick() -> None:
    board, _ = board_at()
    assert board.print_trade(SYMBOL, Decimal("61000.0149")).price == Decimal("61000.01")
    assert board.print_trade(SYMBOL, Decimal("0.0001")).price == Decimal("0.01")


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e30"])
def test_impossible_price_is_refused_and_nothing_is_printed(price: str) -> None:
    board, _ = board_at()
    with pytest.raises(ValueError, match="price"):
        board.print_trade(SYMBOL, Decimal(price))
    assert board.trades(SYMBOL) == []


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN"])
def test_impossible_quantity_is_refused(quantity: str) -> None:
    board, _ = board_at()
    with pytest.raises(ValueError, match="quantity"):
        board.print_trade(SYMBOL, Decimal(100), Decimal(quantity))
    assert board.trades(SYMBOL) == []


def test_tape_keeps_the_newest_trades_only() -> None:
    board, _ = board_at()
    for _ in range(TAPE_KEPT + 10):
        board.print_trade("SYN00USDT", Decimal(5))
    tape = board.trades("SYN00USDT", limit=TAPE_KEPT + 10)
    assert len(tape) == TAPE_KEPT
    assert tape[-1].trade_id - tape[0].trade_id == TAPE_KEPT - 1
    assert tape[-1] == board.last_trade("SYN00USDT")


def test_aggregate_trades_are_found_by_id_by_time_or_from_the_end() -> None:
    board, clock = board_at()
    printed = []
    for n in range(10):
        clock.at_ms = START_MS + n * 1_000
        printed.append(board.print_trade(SYMBOL, Decimal(100 + n)))
    assert board.agg_trades(SYMBOL, from_id=printed[4].agg_id, limit=3) == printed[4:7]
    assert board.agg_trades(SYMBOL, start_ms=START_MS + 2_000, end_ms=START_MS + 4_000) == printed[2:5]
    assert board.agg_trades(SYMBOL, end_ms=START_MS + 4_000, limit=2) == printed[3:5]
    assert board.agg_trades(SYMBOL, limit=2) == printed[-2:]
    assert printed[0].agg_id != printed[0].trade_id


def test_book_stands_one_tick_apart_around_the_last_price() -> None:
    board, _ = board_at()
    board.print_trade(SYMBOL, Decimal(61_000))
    book = board.book(SYMBOL, 3)
    assert [price for price, _ in book.bids] == [Decimal(61_000), Decimal("60999.99"), Decimal("60999.98")]
    assert [price for price, _ in book.asks] == [
        Decimal("61000.01"),
        Decimal("61000.02"),
        Decimal("61000.03"),
    ]
    assert board.book(SYMBOL, 3) == book
    assert all(price * quantity > 100_000 for price, quantity in (*book.bids, *book.asks))


def test_update_id_of_the_book_grows_with_every_trade() -> None:
    board, _ = board_at()
    before = board.book(SYMBOL).update_id
    board.print_trade(SYMBOL, Decimal(61_000))
    assert board.book(SYMBOL).update_id == before + 1


def test_thin_book_holds_exactly_what_was_asked_for_until_a_reset() -> None:
    board, _ = board_at()
    board.set_depth(SYMBOL, Depth(levels=2, quantity=Decimal("0.01")))
    book = board.book(SYMBOL, 100)
    assert [quantity for _, quantity in (*book.bids, *book.asks)] == [Decimal("0.01")] * 4
    board.set_depth(SYMBOL, Depth(levels=0))
    assert board.book(SYMBOL).best_bid == board.book(SYMBOL).best_ask == NOTHING
    board.reset()
    assert len(board.book(SYMBOL, 100).bids) == 100


def test_bids_end_above_zero() -> None:
    board, _ = board_at()
    board.print_trade(SYMBOL, Decimal("0.03"))
    assert [price for price, _ in board.book(SYMBOL, 10).bids] == [
        Decimal("0.03"),
        Decimal("0.02"),
        Decimal("0.01"),
    ]
    assert len(board.book(SYMBOL, 10).asks) == 10


def test_reset_opens_the_market_afresh_where_it_was_anchored() -> None:
    board, clock = board_at()
    board.anchor(SYMBOL, Decimal(50_000), seed=4)
    opened = board.candles(SYMBOL, "1m", limit=20)
    first = board.print_trade(SYMBOL, Decimal(51_000))
    clock.at_ms += 3_600_000
    board.reset()
    assert board.last_price(SYMBOL) == Decimal(50_000)
    assert board.trades(SYMBOL) == []
    assert [c.close for c in board.candles(SYMBOL, "1m", limit=20)] == [c.close for c in opened]
    assert board.print_trade(SYMBOL, Decimal(51_000)).trade_id == first.trade_id
