"""Market orders in the core: what moves, what is refused, what is left."""

from decimal import Decimal

from simulator.market.book import Depth
from tests.simulator.support import BTC, KEY, Desk, refused

D = Decimal


def test_buy_pays_the_ask_and_its_fee_in_the_base_currency(desk: Desk) -> None:
    order = desk.place("BUY", "0.1")
    fill = order.fills[0]
    assert (order.status, fill.price, fill.commission, fill.commission_asset) == (
        "FILLED",
        D("60000.01"),
        D("0.0001"),
        "BTC",
    )
    assert desk.base().free == D("0.0999")
    assert desk.quote().free == D(10_000) - D("6000.001")


def test_sell_pays_its_fee_in_the_quote_currency(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    before = desk.quote().free
    order = desk.place("SELL", "0.09990")
    assert order.fills[0].commission_asset == "USDT"
    assert desk.quote().free - before == D("5994") - D("5.994")
    assert desk.base().free == 0


def test_sell_beyond_free_balance_is_refused_with_minus_2010(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    with refused(-2010, "Account has insufficient balance for requested action."):
        desk.place("SELL", "0.1")
    assert desk.base().free == D("0.0999")


def test_refused_order_is_not_among_the_accepted_ones_but_on_record(desk: Desk) -> None:
    with refused(-2010):
        desk.place("BUY", "1", client_order_id="too-much")
    assert desk.exchange.engine.registry.orders == []
    assert [(one.request.client_order_id, one.code) for one in desk.exchange.refusals] == [
        ("too-much", -2010)
    ]


def test_quote_quantity_buys_as_many_whole_lots_as_it_pays_for(desk: Desk) -> None:
    order = desk.place("BUY", quote_quantity="1000")
    assert order.quantity == order.executed == D("0.01666")
    assert order.quote_executed <= 1000


def test_quote_quantity_below_one_lot_is_refused(desk: Desk) -> None:
    desk.exchange.board.set_depth(BTC, Depth(levels=1, quantity=D("0.00000")))
    with refused(-1013, "LOT_SIZE"):
        desk.place("BUY", quote_quantity="100")


def test_market_order_eats_levels_from_the_best_on(desk: Desk) -> None:
    desk.exchange.board.set_depth(BTC, Depth(levels=10, quantity=D("0.01")))
    order = desk.place("BUY", "0.025")
    assert [(fill.price, fill.quantity) for fill in order.fills] == [
        (D("60000.01"), D("0.01")),
        (D("60000.02"), D("0.01")),
        (D("60000.03"), D("0.005")),
    ]
    assert len({fill.trade_id for fill in order.fills}) == 3


def test_market_order_larger_than_the_book_fills_partly_and_expires(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    desk.exchange.board.set_depth(BTC, Depth(levels=2, quantity=D("0.02")))
    order = desk.place("SELL", "0.0999")
    assert (order.status, order.executed) == ("EXPIRED", D("0.04"))
    assert (desk.base().free, desk.base().locked) == (D("0.0599"), D(0))


def test_filled_market_order_does_not_block_its_client_id(desk: Desk) -> None:
    first = desk.place("BUY", "0.01", client_order_id="same")
    second = desk.place("BUY", "0.01", client_order_id="same")
    assert first.order_id != second.order_id
    found = desk.exchange.find(KEY, BTC, None, "same")
    assert found is second


def test_own_fills_do_not_move_the_public_price(desk: Desk) -> None:
    desk.place("BUY", "0.1")
    assert desk.exchange.board.last_price(BTC) == D(60_000)


def test_orders_remember_who_sent_them_and_when(desk: Desk) -> None:
    by_api = desk.place("BUY", "0.01")
    by_hand = desk.place("BUY", "0.01", by_hand=True)
    assert (by_api.by_hand, by_hand.by_hand) == (False, True)
    assert by_hand.received_ns > by_api.received_ns > 0
    assert by_api.time_ms == desk.clock.now_ms()
