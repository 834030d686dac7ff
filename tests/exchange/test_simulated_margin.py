"""The adapter against the simulator: what the exchange does, seen through the port."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from robson.local.simulator import DEMO_KEY, DEMO_SECRET, SimulatorProcess
from tests.exchange.factories import market_order
from trading.domain.types import MarketOrder, OrderSide
from trading.exchange.calls import CallReport, CallSettings
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import OutcomeUnknown, Refused, RetryLater, StopAndPage
from trading.exchange.http import Timeouts
from trading.exchange.rest import BinanceMargin

D = Decimal


@pytest.fixture
def reports() -> list[CallReport]:
    return []


def connected(
    simulator: SimulatorProcess, reports: list[CallReport], *, secret: str = DEMO_SECRET, key: str = DEMO_KEY
) -> BinanceMargin:
    settings = CallSettings(timeouts=Timeouts(connect=2.0, read=0.5), after_call=reports.append)
    endpoints = Endpoints.from_values(simulator.environment())
    return BinanceMargin(endpoints, api_key=key, api_secret=secret, settings=settings)


@pytest.fixture
def exchange(simulator: SimulatorProcess, reports: list[CallReport]) -> Iterator[BinanceMargin]:
    simulator.control.price("BTCUSDT", "60000")
    client = connected(simulator, reports)
    yield client
    client.close()


def order_now(exchange: BinanceMargin, client_order_id: str = "rbs-1", **changes: Any) -> MarketOrder:
    values: dict[str, Any] = {
        "side": OrderSide.BUY,
        "quantity": D("0.001"),
        "side_effect": "MARGIN_BUY",
        "timestamp_ms": exchange.now_ms(),
        "recv_window_ms": 5_000,
    }
    return market_order(client_order_id=client_order_id, **(values | changes))


def exit_now(exchange: BinanceMargin, client_order_id: str, quantity: str) -> MarketOrder:
    return order_now(
        exchange, client_order_id, side=OrderSide.SELL, quantity=D(quantity), side_effect="AUTO_REPAY"
    )


def test_a_position_is_opened_seen_and_closed(exchange: BinanceMargin) -> None:
    entry = exchange.send_market_order(order_now(exchange))
    held = exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"]
    leaving = exchange.send_market_order(exit_now(exchange, "rbs-2", "0.00099"))
    left = exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"]

    assert (entry.status, entry.executed_quantity) == ("FILLED", D("0.001"))
    assert sum(fill.quantity for fill in entry.fills) == D("0.001")
    assert held.base.net == D("0.001") - sum(fill.commission for fill in entry.fills)
    assert leaving.status == "FILLED"
    assert left.base.net == held.base.net - D("0.00099")


def test_a_short_borrows_and_its_exit_repays(exchange: BinanceMargin) -> None:
    exchange.send_market_order(order_now(exchange, side=OrderSide.SELL))
    debt = exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.debt
    exchange.send_market_order(order_now(exchange, "rbs-2", quantity=D("0.00101"), side_effect="AUTO_REPAY"))

    # The first hour's interest is owed from the start.
    assert D("0.001") <= debt < D("0.0010001")
    assert exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.debt == 0


def test_an_order_is_found_by_its_client_id_and_a_stranger_is_not(exchange: BinanceMargin) -> None:
    sent = exchange.send_market_order(order_now(exchange))

    found = exchange.find_order("BTCUSDT", "rbs-1")

    assert found is not None
    assert replace(found, fills=(), time_ms=0) == replace(sent, fills=(), time_ms=0)
    assert exchange.find_order("BTCUSDT", "rbs-2") is None


def test_trades_are_those_of_the_order(exchange: BinanceMargin) -> None:
    first = exchange.send_market_order(order_now(exchange))
    exchange.send_market_order(order_now(exchange, "rbs-2"))

    of_first = exchange.trades("BTCUSDT", order_id=first.order_id)
    everything = exchange.trades("BTCUSDT")
    onward = exchange.trades("BTCUSDT", from_id=of_first[-1].trade_id + 1)

    assert [trade.trade_id for trade in of_first] == [fill.trade_id for fill in first.fills]
    assert [replace(trade, time_ms=0) for trade in of_first] == [
        replace(fill, time_ms=0) for fill in first.fills
    ]
    assert list(everything) == [*of_first, *onward]


def test_an_order_that_timed_out_after_acceptance_is_unknown_and_then_found(
    exchange: BinanceMargin, simulator: SimulatorProcess
) -> None:
    simulator.control.fault("timeout_after_accept", path="/sapi/v1/margin/order", method="POST", count=1)

    with pytest.raises(OutcomeUnknown):
        exchange.send_market_order(order_now(exchange))
    found = exchange.find_order("BTCUSDT", "rbs-1")

    assert found is not None
    assert found.status == "FILLED"
    assert len(simulator.control.orders()) == 1


def test_an_order_that_timed_out_before_acceptance_is_unknown_and_not_found(
    exchange: BinanceMargin, simulator: SimulatorProcess
) -> None:
    simulator.control.fault("timeout_before_accept", path="/sapi/v1/margin/order", method="POST", count=1)

    with pytest.raises(OutcomeUnknown):
        exchange.send_market_order(order_now(exchange))

    assert exchange.find_order("BTCUSDT", "rbs-1") is None


@pytest.mark.parametrize("after", [True, False])
def test_a_reset_connection_is_unknown_whether_or_not_the_order_went_through(
    exchange: BinanceMargin, simulator: SimulatorProcess, after: bool
) -> None:
    simulator.control.fault(
        "reset_connection", path="/sapi/v1/margin/order", method="POST", after=after, count=1
    )

    with pytest.raises(OutcomeUnknown):
        exchange.send_market_order(order_now(exchange))

    assert (exchange.find_order("BTCUSDT", "rbs-1") is not None) is after


def test_an_order_that_stalled_past_its_window_is_refused(
    exchange: BinanceMargin, simulator: SimulatorProcess
) -> None:
    stale = order_now(exchange, timestamp_ms=exchange.now_ms() - 2_000, recv_window_ms=1_000)

    with pytest.raises(Refused) as refusal:
        exchange.send_market_order(stale)

    assert refusal.value.code == -1021
    assert simulator.control.orders() == []


def test_a_skewed_clock_is_put_right_by_a_query_and_then_orders_pass(
    exchange: BinanceMargin, simulator: SimulatorProcess
) -> None:
    simulator.control.fault("clock_skew_ms", ms=90_000)
    with pytest.raises(Refused) as refusal:
        exchange.send_market_order(order_now(exchange))

    exchange.margin_pairs()
    report = exchange.send_market_order(order_now(exchange))

    assert refusal.value.code == -1021
    assert report.status == "FILLED"


def test_selling_what_is_not_there_is_refused_with_minus_2010(exchange: BinanceMargin) -> None:
    with pytest.raises(Refused) as refusal:
        exchange.send_market_order(exit_now(exchange, "rbs-1", "1"))

    assert refusal.value.code == -2010
    assert refusal.value.message == "Account has insufficient balance for requested action."


@pytest.mark.parametrize(("quantity", "code"), [("0.00001", -1013), ("0.000011", -1013)])
def test_a_filter_refuses_before_the_engine(exchange: BinanceMargin, quantity: str, code: int) -> None:
    with pytest.raises(Refused) as refusal:
        exchange.send_market_order(order_now(exchange, quantity=D(quantity)))

    assert refusal.value.code == code


def test_a_partial_fill_ends_expired_with_what_was_executed(
    exchange: BinanceMargin, simulator: SimulatorProcess
) -> None:
    simulator.control.fault("partial_fill", ratio="0.4", count=1)

    report = exchange.send_market_order(order_now(exchange))

    assert (report.status, report.executed_quantity) == ("EXPIRED", D("0.0004"))
    assert report.is_final
    assert sum(fill.quantity for fill in report.fills) == D("0.0004")


def test_a_wrong_secret_and_an_unknown_key_call_for_a_person(
    simulator: SimulatorProcess, reports: list[CallReport]
) -> None:
    for client, code in (
        (connected(simulator, reports, secret="wrong"), -1022),
        (connected(simulator, reports, key="nobody"), -2015),
    ):
        with pytest.raises(StopAndPage) as stop:
            client.margin_pairs()
        assert stop.value.code == code
        client.close()


def test_a_ban_stops_with_the_time_it_lasts(exchange: BinanceMargin, simulator: SimulatorProcess) -> None:
    simulator.control.fault("ban", seconds=30)

    with pytest.raises(StopAndPage) as stop:
        exchange.margin_pairs()

    assert 0 < stop.value.after_s <= 30


def test_a_busy_exchange_names_its_wait(exchange: BinanceMargin, simulator: SimulatorProcess) -> None:
    simulator.control.fault("http_status", status=429, retry_after=7, path="/sapi/v1/margin/order")

    with pytest.raises(RetryLater) as later:
        exchange.send_market_order(order_now(exchange))

    assert later.value.after_s == 7


def test_an_unknown_symbol_is_refused(exchange: BinanceMargin) -> None:
    with pytest.raises(Refused) as refusal:
        exchange.symbol_rules("NOSUCHUSDT")

    assert refusal.value.code == -1121


def test_rules_of_many_symbols_are_learnt_in_one_call(
    exchange: BinanceMargin, reports: list[CallReport]
) -> None:
    exchange.symbol_rules("BNBUSDT")
    exchange.learn_rules(["ETHUSDT", "BNBUSDT", "BTCUSDT"])
    exchange.learn_rules(["ETHUSDT", "BTCUSDT"])

    assert {exchange.symbol_rules(name).symbol for name in ("BTCUSDT", "ETHUSDT")} == {"BTCUSDT", "ETHUSDT"}
    assert [report.name for report in reports] == ["symbol_rules"] * 2


def test_an_unknown_symbol_among_many_leaves_each_to_be_asked_for_alone(exchange: BinanceMargin) -> None:
    exchange.learn_rules(["BTCUSDT", "NOSUCHUSDT"])

    assert exchange.symbol_rules("BTCUSDT").symbol == "BTCUSDT"
    with pytest.raises(Refused):
        exchange.symbol_rules("NOSUCHUSDT")


def test_market_questions_are_answered(exchange: BinanceMargin, simulator: SimulatorProcess) -> None:
    started_ms = exchange.now_ms()
    for price in ("60001", "60002", "60003"):
        simulator.control.price("BTCUSDT", price)

    rules = exchange.symbol_rules("BTCUSDT")
    candles = exchange.candles("BTCUSDT", "1m", limit=30)
    ticks = exchange.aggregate_trades(
        "BTCUSDT", start_ms=started_ms - 1_000, end_ms=exchange.now_ms() + 1_000
    )

    assert (rules.tick_size, rules.lot_step, rules.min_notional) == (D("0.01"), D("0.00001"), D(5))
    assert exchange.price("BTCUSDT").price == D(60003)
    assert exchange.prices()["BTCUSDT"] == D(60003)
    assert len(candles) == 30
    assert all(candle.closed for candle in candles[:-1])
    assert candles[-1].close == D(60003)
    assert [tick.price for tick in ticks][-3:] == [D(60001), D(60002), D(60003)]


def test_a_pair_without_orders_has_none_open_and_nothing_to_cancel(exchange: BinanceMargin) -> None:
    assert exchange.open_orders("BTCUSDT") == ()
    assert exchange.cancel_order("BTCUSDT", "rbs-1") is None


def test_a_debt_can_be_repaid(exchange: BinanceMargin) -> None:
    exchange.send_market_order(order_now(exchange, side=OrderSide.SELL))
    exchange.send_market_order(
        order_now(exchange, "rbs-2", quantity=D("0.0005"), side_effect="NO_SIDE_EFFECT")
    )
    owed = exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.debt

    assert exchange.repay("BTCUSDT", "BTC", D("0.0004"))

    assert exchange.margin_pairs(["BTCUSDT"])["BTCUSDT"].base.debt == owed - D("0.0004")


def test_used_weights_are_reported(exchange: BinanceMargin, reports: list[CallReport]) -> None:
    exchange.margin_pairs()
    exchange.send_market_order(order_now(exchange))

    assert reports[-2].weights["X-SAPI-USED-IP-WEIGHT-1M"] >= 10
    assert reports[-1].weights["X-SAPI-USED-UID-WEIGHT-1M"] >= 6


def test_the_list_of_pairs_has_what_can_be_traded_on_isolated_margin(exchange: BinanceMargin) -> None:
    listed = {pair.symbol: pair for pair in exchange.listed_pairs()}
    assert (listed["BTCUSDT"].base_asset, listed["BTCUSDT"].quote_asset) == ("BTC", "USDT")
    assert "LUNCUSDT" not in listed
