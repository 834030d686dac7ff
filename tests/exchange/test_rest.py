"""What goes over the wire, and how answers that come in parts are put together."""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.conftest import NOW_S, Connect
from tests.exchange.factories import (
    account,
    cancelled_order,
    exchange_info,
    full_order,
    market_order,
    own_trade,
    pair,
    symbol_info,
)
from tests.exchange.stub import Answer, Seen, Stub, hangs_up, says, says_text
from trading.exchange.calls import CallReport, CallSettings, whole_budget
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import BadAnswer, OutcomeUnknown, Refused, RetryLater, StopAndPage
from trading.exchange.port import Exchange
from trading.exchange.rest import BinanceMargin

NOW_MS = int(NOW_S * 1000)
WRONG_CLOCK = says({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, 400)
UNKNOWN_ORDER = says({"code": -2013, "msg": "Order does not exist."}, 400)


def signed_as_sent(seen: Seen) -> bool:
    payload, _, signature = (seen.query + seen.body).rpartition("&signature=")
    return signature == hmac.new(b"secret", payload.encode(), hashlib.sha256).hexdigest()


def test_the_client_is_an_exchange(client: BinanceMargin) -> None:
    port: Exchange = client

    assert port.now_ms() == NOW_MS


def test_a_market_order_is_sent_as_isolated_margin_wants_it(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(full_order()))

    report = client.send_market_order(market_order())

    (seen,) = stub.seen
    signature = seen.params["signature"]
    assert (seen.method, seen.path, seen.query) == ("POST", "/sapi/v1/margin/order", "")
    assert seen.params == {
        "symbol": "BTCUSDT",
        "isIsolated": "TRUE",
        "side": "SELL",
        "type": "MARKET",
        "quantity": "0.0001",
        "newClientOrderId": "rbs-1",
        "newOrderRespType": "FULL",
        "sideEffectType": "AUTO_REPAY",
        "timestamp": "1700000000000",
        "recvWindow": "2000",
        "signature": signature,
    }
    assert seen.headers["X-MBX-APIKEY"] == "key"
    assert signed_as_sent(seen)
    assert (report.status, report.executed_quantity) == ("FILLED", Decimal("0.0001"))


def test_an_order_carries_its_own_time_however_late_it_is_sent(connect: Connect, stub: Stub) -> None:
    stub.will(says(full_order()))
    stalled = connect(clock=lambda: NOW_S + 3600)

    stalled.send_market_order(market_order(timestamp_ms=NOW_MS, recv_window_ms=777))

    assert stub.seen[0].params["timestamp"] == str(NOW_MS)
    assert stub.seen[0].params["recvWindow"] == "777"


def test_a_tiny_quantity_has_no_exponent(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(full_order()))

    client.send_market_order(market_order(quantity=Decimal("1E-5")))

    assert stub.seen[0].params["quantity"] == "0.00001"


@pytest.mark.parametrize("client_order_id", ["", "x" * 37, "a b", "a/b", "ä", "a\n"])
def test_a_client_order_id_that_breaks_signatures_never_leaves(
    client: BinanceMargin, stub: Stub, client_order_id: str
) -> None:
    with pytest.raises(ValueError, match="client order id"):
        client.send_market_order(market_order(client_order_id=client_order_id))
    assert stub.seen == []


def test_an_order_is_never_repeated_for_a_wrong_clock(client: BinanceMargin, stub: Stub) -> None:
    stub.will(WRONG_CLOCK)

    with pytest.raises(Refused) as refusal:
        client.send_market_order(market_order())
    assert refusal.value.code == -1021
    assert len(stub.seen) == 1


@pytest.mark.parametrize("changes", [{"symbol": "ETHUSDT"}, {"clientOrderId": "rbs-2"}])
def test_an_answer_about_another_order_leaves_ours_unknown(
    client: BinanceMargin, stub: Stub, changes: dict[str, Any]
) -> None:
    stub.will(says(full_order(**changes)))

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())


def test_an_acknowledgement_without_a_result_is_to_be_looked_up(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({"symbol": "BTCUSDT", "orderId": 28, "clientOrderId": "rbs-1", "transactTime": 1}))

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())


def test_an_order_is_looked_up_by_its_client_id(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(full_order()))

    found = client.find_order("BTCUSDT", "rbs-1")

    (seen,) = stub.seen
    assert (seen.method, seen.path, seen.body) == ("GET", "/sapi/v1/margin/order", "")
    assert seen.params["origClientOrderId"] == "rbs-1"
    assert seen.params["isIsolated"] == "TRUE"
    assert signed_as_sent(seen)
    assert found is not None
    assert found.order_id == "28"


def test_an_order_is_looked_up_by_the_exchange_s_id(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(full_order()), UNKNOWN_ORDER)

    found = client.find_order_by_id("BTCUSDT", "28")

    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("GET", "/sapi/v1/margin/order")
    assert (seen.params["orderId"], seen.params["isIsolated"]) == ("28", "TRUE")
    assert "origClientOrderId" not in seen.params
    assert found is not None
    assert found.client_order_id == full_order()["clientOrderId"]
    assert client.find_order_by_id("BTCUSDT", "29") is None


def test_a_foreign_client_id_with_odd_characters_is_signed_as_it_is_sent(
    client: BinanceMargin, stub: Stub
) -> None:
    stub.will(UNKNOWN_ORDER, says(cancelled_order()))

    client.find_order("BTCUSDT", "web_a:b/c &ä")
    client.cancel_order("BTCUSDT", "web_a:b/c &ä")

    assert all(signed_as_sent(seen) for seen in stub.seen)
    assert all(seen.params["origClientOrderId"] == "web_a:b/c &ä" for seen in stub.seen)


def test_only_order_does_not_exist_means_that_there_is_none(client: BinanceMargin, stub: Stub) -> None:
    stub.will(UNKNOWN_ORDER, says({"code": -2015, "msg": "key"}, 401), says({"code": -1121, "msg": "?"}, 400))

    assert client.find_order("BTCUSDT", "rbs-1") is None
    with pytest.raises(StopAndPage):
        client.find_order("BTCUSDT", "rbs-1")
    with pytest.raises(Refused):
        client.find_order("BTCUSDT", "rbs-1")


def test_a_cancel_of_what_is_not_open_says_so(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({"code": -2011, "msg": "Unknown order sent."}, 400), says(cancelled_order()))

    assert client.cancel_order("BTCUSDT", "rbs-1") is None
    cancelled = client.cancel_order("BTCUSDT", "rbs-1")

    assert cancelled is not None
    assert cancelled.status == "CANCELED"
    assert [(seen.method, seen.path) for seen in stub.seen] == [("DELETE", "/sapi/v1/margin/order")] * 2


def test_any_other_refusal_of_a_cancel_is_raised(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({"code": -1121, "msg": "Invalid symbol."}, 400))

    with pytest.raises(Refused):
        client.cancel_order("BTCUSDT", "rbs-1")


def test_a_cancel_with_an_unclear_answer_is_unknown(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({}), hangs_up, says_text("<html>", 404))

    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            client.cancel_order("BTCUSDT", "rbs-1")


def test_open_orders_are_asked_for_one_isolated_symbol(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says([full_order(status="NEW", executedQty="0", fills=[])]))

    (order,) = client.open_orders("BTCUSDT")

    assert (order.status, order.is_final) == ("NEW", False)
    assert stub.seen[0].params["symbol"] == "BTCUSDT"
    assert stub.seen[0].params["isIsolated"] == "TRUE"


def test_a_query_with_a_wrong_clock_is_signed_again_with_the_right_one(
    client: BinanceMargin, stub: Stub, calls: list[str]
) -> None:
    right = {"serverTime": NOW_MS + 90_000}
    stub.will(WRONG_CLOCK, says(right), says(right), says(account()))

    assert client.margin_pairs() == {}
    assert calls == ["margin_pairs", "sync_clock", "sync_clock", "margin_pairs"]
    assert stub.seen[0].params["timestamp"] == str(NOW_MS)
    assert stub.seen[-1].params["timestamp"] == str(NOW_MS + 90_000)
    assert client.now_ms() == NOW_MS + 90_000


def test_a_query_is_signed_again_only_once(client: BinanceMargin, stub: Stub) -> None:
    right = says({"serverTime": NOW_MS})
    stub.will(WRONG_CLOCK, right, right, WRONG_CLOCK)

    with pytest.raises(Refused):
        client.margin_pairs()
    assert len(stub.seen) == 4


def test_an_answer_that_cannot_be_counted_is_an_answer_all_the_same(stub: Stub) -> None:
    def report(_: CallReport) -> None:
        raise OSError("no space left on device")

    settings = CallSettings(after_call=report)
    client = BinanceMargin(Endpoints(api=stub.url), api_key="key", api_secret="secret", settings=settings)
    stub.will(says(account()))
    with closing(client):
        assert client.margin_pairs() == {}


def test_the_quicker_measurement_sets_the_clock(connect: Connect, stub: Stub) -> None:
    now = [10.0]

    def server_time(local_s: float, server_ms: int) -> Answer:
        def answer(handler: Any) -> None:
            now[0] = local_s
            says({"serverTime": server_ms})(handler)

        return answer

    stub.will(server_time(14.0, 12_500), server_time(14.2, 14_350))

    # Half-way of the slow one is 12.0 (500 ms behind); of the quick one 14.1 (250 ms behind).
    assert connect(clock=lambda: now[0]).sync_clock() == 250


def test_without_symbols_all_pairs_come_in_one_call(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(account(*(pair(f"S{n}USDT") for n in range(20)))))

    assert len(client.margin_pairs()) == 20
    assert "symbols" not in stub.seen[0].params


def test_symbols_are_asked_for_five_at_a_time(client: BinanceMargin, stub: Stub) -> None:
    names = [f"S{n:02}USDT" for n in range(7)]
    stub.will(says(account(*map(pair, names[:5]))), says(account(*map(pair, names[5:]))))

    assert sorted(client.margin_pairs(names)) == names
    assert [seen.params["symbols"] for seen in stub.seen] == [",".join(names[:5]), ",".join(names[5:])]
    assert all(signed_as_sent(seen) for seen in stub.seen)


def test_a_pair_that_was_not_asked_for_is_a_bad_answer(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(account(pair("ETHUSDT"))))

    with pytest.raises(BadAnswer):
        client.margin_pairs(["BTCUSDT"])


def test_trades_are_paged_from_the_last_id_on(client: BinanceMargin, stub: Stub) -> None:
    stub.will(
        says([own_trade(n) for n in range(5, 1005)]),
        says([own_trade(n) for n in range(1005, 2005)]),
        says([own_trade(2005)]),
    )

    found = client.trades("BTCUSDT", from_id=5)

    assert [trade.trade_id for trade in found] == list(range(5, 2006))
    assert [seen.params["fromId"] for seen in stub.seen] == ["5", "1005", "2005"]
    assert all(seen.params["limit"] == "1000" for seen in stub.seen)


def test_the_trades_of_an_order_are_asked_for_by_its_id(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says([own_trade(n) for n in range(1000)]), says([own_trade(1000)]))

    assert len(client.trades("BTCUSDT", order_id="39324")) == 1001
    assert [seen.params["orderId"] for seen in stub.seen] == ["39324", "39324"]
    assert "startTime" not in stub.seen[0].params
    assert stub.seen[1].params["fromId"] == "1000"


def test_the_last_day_s_trades_start_at_its_beginning(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says([]))

    assert client.trades("BTCUSDT") == []
    age_ms = NOW_MS - int(stub.seen[0].params["startTime"])
    assert 23 * 3_600_000 < age_ms <= 24 * 3_600_000


def test_trades_that_repeat_do_not_loop(client: BinanceMargin, stub: Stub) -> None:
    page = says([own_trade(n) for n in range(1000)])
    stub.will(page, page)

    with pytest.raises(BadAnswer):
        client.trades("BTCUSDT", from_id=0)


def agg(trade_id: int, time_ms: int, price: str = "1.5") -> dict[str, Any]:
    return {"a": trade_id, "p": price, "q": "1", "f": 1, "l": 1, "T": time_ms, "m": True, "M": True}


def test_aggregate_trades_go_on_by_id_after_a_full_page(client: BinanceMargin, stub: Stub) -> None:
    stub.will(
        says([agg(n, n) for n in range(1000)]),
        says([agg(n, n) for n in range(1000, 2000)]),
    )

    found = client.aggregate_trades("BTCUSDT", start_ms=0, end_ms=1_500)

    assert [tick.time_ms for tick in found] == list(range(1501))
    assert stub.seen[0].params["startTime"] == "0"
    assert stub.seen[1].params["fromId"] == "1000"
    assert len(stub.seen) == 2


def test_a_quiet_hour_does_not_end_the_search_for_aggregate_trades(client: BinanceMargin, stub: Stub) -> None:
    hour = 3_600_000
    stub.will(says([]), says([agg(1, hour + 5)]), says([agg(2, 2 * hour + 1)]))

    found = client.aggregate_trades("BTCUSDT", start_ms=0, end_ms=2 * hour + 1)

    assert [tick.time_ms for tick in found] == [hour + 5, 2 * hour + 1]
    spans = [(int(seen.params["startTime"]), int(seen.params["endTime"])) for seen in stub.seen]
    assert spans == [(0, hour - 1), (hour, 2 * hour - 1), (2 * hour, 2 * hour + 1)]


def test_rules_are_asked_for_once_an_hour(connect: Connect, stub: Stub) -> None:
    now = [NOW_S]
    client = connect(clock=lambda: now[0])
    stub.will(says(exchange_info(symbol_info())), says(exchange_info(symbol_info(status="BREAK"))))

    assert client.symbol_rules("BTCUSDT").trading
    now[0] += 3599
    assert client.symbol_rules("BTCUSDT").trading
    assert len(stub.seen) == 1
    now[0] += 2
    assert not client.symbol_rules("BTCUSDT").trading
    assert stub.seen[1].params == {"symbol": "BTCUSDT"}


def test_known_rules_outlive_an_exchange_that_cannot_be_asked(connect: Connect, stub: Stub) -> None:
    now = [NOW_S]
    client = connect(clock=lambda: now[0])
    stub.will(says(exchange_info(symbol_info())), hangs_up)
    first = client.symbol_rules("BTCUSDT")
    now[0] += 7200

    assert client.symbol_rules("BTCUSDT") == first
    assert len(stub.seen) == 2


def test_an_unknown_symbol_is_refused_even_when_it_was_known(connect: Connect, stub: Stub) -> None:
    now = [NOW_S]
    client = connect(clock=lambda: now[0])
    stub.will(says(exchange_info(symbol_info())), says({"code": -1121, "msg": "Invalid symbol."}, 400))
    client.symbol_rules("BTCUSDT")
    now[0] += 7200

    with pytest.raises(Refused) as refusal:
        client.symbol_rules("BTCUSDT")
    assert refusal.value.code == -1121


def test_rules_that_were_never_known_are_an_error(client: BinanceMargin, stub: Stub) -> None:
    stub.will(hangs_up)

    with pytest.raises(OutcomeUnknown):
        client.symbol_rules("BTCUSDT")


def test_all_prices_come_in_one_unsigned_call(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says([{"symbol": "BTCUSDT", "price": "60000.10"}, {"symbol": "ETHUSDT", "price": "2500"}]))

    assert client.prices() == {"BTCUSDT": Decimal("60000.10"), "ETHUSDT": Decimal(2500)}
    assert (stub.seen[0].path, stub.seen[0].query) == ("/api/v3/ticker/price", "")


def test_queries_leave_a_share_of_the_budget_and_orders_use_it(client: BinanceMargin, stub: Stub) -> None:
    spent = {"X-SAPI-USED-IP-WEIGHT-1M": "9600", "X-SAPI-USED-UID-WEIGHT-1M": "179000"}
    stub.will(says(account(), headers=spent), *[says(full_order(), headers=spent)] * 2)

    client.margin_pairs()
    with pytest.raises(RetryLater) as held:
        client.margin_pairs()
    client.send_market_order(market_order())
    client.send_market_order(market_order())

    assert 0 < held.value.after_s <= 60
    assert [seen.method for seen in stub.seen] == ["GET", "POST", "POST"]


def test_a_query_for_an_order_may_use_the_whole_budget_and_no_more(client: BinanceMargin, stub: Stub) -> None:
    most, all_of_it = ({"X-SAPI-USED-IP-WEIGHT-1M": used} for used in ("11000", "12000"))
    stub.will(says(account(), headers=most), says(account(), headers=all_of_it))

    client.margin_pairs()
    with whole_budget():
        assert client.margin_pairs() == {}
        with pytest.raises(RetryLater):
            client.margin_pairs()

    assert len(stub.seen) == 2


def test_the_reserve_is_one_thread_s_and_ends_with_its_block(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(account(), headers={"X-SAPI-USED-IP-WEIGHT-1M": "11000"}))
    client.margin_pairs()

    with whole_budget(), ThreadPoolExecutor(1) as other, pytest.raises(RetryLater):
        other.submit(client.margin_pairs).result()
    with pytest.raises(RetryLater):
        client.margin_pairs()


def test_a_repayment_is_sent_once_in_plain_numbers(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({"tranId": 100000001}), hangs_up)

    assert client.repay("BTCUSDT", "USDT", Decimal("1E-7")) == "100000001"
    with pytest.raises(OutcomeUnknown):
        client.repay("BTCUSDT", "USDT", Decimal(1))

    seen = stub.seen[0]
    assert (seen.method, seen.path) == ("POST", "/sapi/v1/margin/borrow-repay")
    wanted = {
        "asset": "USDT",
        "amount": "0.0000001",
        "type": "REPAY",
        "isIsolated": "TRUE",
        "symbol": "BTCUSDT",
    }
    assert wanted.items() <= seen.params.items()
    assert len(stub.seen) == 2


def test_a_listen_token_is_for_one_isolated_pair(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({"token": "abc", "expirationTime": 1758792204196}))

    token = client.listen_token("BTCUSDT")

    assert (token.token, token.expires_ms) == ("abc", 1758792204196)
    assert stub.seen[0].path == "/sapi/v1/userListenToken"
    assert {"symbol": "BTCUSDT", "isIsolated": "true"}.items() <= stub.seen[0].params.items()


def test_calls_share_one_connection(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says(account()), says(full_order()), says(account()))

    client.margin_pairs()
    client.send_market_order(market_order())
    client.margin_pairs()

    assert stub.connections == 1


def test_nothing_is_sent_when_the_caller_s_hook_objects(stub: Stub) -> None:
    def object_to(name: str) -> None:
        raise AssertionError(f"{name} inside a transaction")

    settings = CallSettings(before_call=object_to)
    client = BinanceMargin(Endpoints(api=stub.url), api_key="key", api_secret="secret", settings=settings)

    with pytest.raises(AssertionError, match="send_market_order inside a transaction"):
        client.send_market_order(market_order())
    assert stub.seen == []
    client.close()
