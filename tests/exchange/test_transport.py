"""Failures without an answer, made with real sockets."""

import socket
import threading

import pytest

from tests.exchange.conftest import Connect
from tests.exchange.factories import account, market_order
from tests.exchange.stub import Answer, Stub, breaks_off, hangs_up, never_answers, resets, says, says_text
from trading.exchange.calls import CallReport
from trading.exchange.errors import BadAnswer, ExchangeError, NotSent, OutcomeUnknown, RetryLater, StopAndPage
from trading.exchange.rest import BinanceMargin


def unused_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_refused_connection_is_not_sent(connect: Connect) -> None:
    client = connect(url=unused_address())

    with pytest.raises(NotSent):
        client.send_market_order(market_order())


def test_an_unknown_host_is_not_sent(connect: Connect) -> None:
    client = connect(url="http://no-such-host.invalid")

    with pytest.raises(NotSent):
        client.send_market_order(market_order())


def test_a_connection_that_never_stands_is_not_sent(connect: Connect) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        # The queue of one is filled, so the next handshake stays unanswered.
        with socket.create_connection(deaf.getsockname()), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(deaf.getsockname())
            client = connect(url=f"http://127.0.0.1:{deaf.getsockname()[1]}")

            with pytest.raises(NotSent):
                client.send_market_order(market_order())


@pytest.mark.parametrize("failure", [resets, hangs_up, breaks_off])
def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown(
    client: BinanceMargin, stub: Stub, failure: Answer
) -> None:
    stub.will(failure)

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())
    assert len(stub.seen) == 1


def test_an_order_without_an_answer_in_time_is_unknown_and_sent_once(connect: Connect, stub: Stub) -> None:
    released = threading.Event()
    stub.will(never_answers(released))
    client = connect(read_timeout=0.1)

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())
    assert len(stub.seen) == 1
    released.set()


def test_a_reset_right_after_a_refused_connection_is_still_unknown(
    connect: Connect, client: BinanceMargin, stub: Stub
) -> None:
    """A retry inside the handler of the first failure must not inherit that failure's meaning."""
    stub.will(resets)

    try:
        connect(url=unused_address()).send_market_order(market_order())
    except NotSent:
        with pytest.raises(OutcomeUnknown):
            client.send_market_order(market_order())


def test_a_kept_connection_that_went_stale_leaves_the_outcome_unknown(
    client: BinanceMargin, stub: Stub
) -> None:
    stub.will(says({"serverTime": 1}), says({"serverTime": 1}), hangs_up)
    client.sync_clock()

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())
    assert stub.connections == 1


@pytest.mark.parametrize("failure", [resets, hangs_up, breaks_off, says_text("{", 200), says_text("", 502)])
def test_a_failed_query_raises_and_is_never_an_empty_account(
    client: BinanceMargin, stub: Stub, failure: Answer
) -> None:
    stub.will(failure)

    with pytest.raises(ExchangeError):
        client.margin_pairs()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "null",
        '"text"',
        "{}",
        "[" * 100_000,
        '{"orderId": 28}',
        "\udcff".encode("utf-8", "surrogateescape").decode("latin1"),
    ],
)
def test_an_order_answered_with_something_else_is_unknown(
    client: BinanceMargin, stub: Stub, body: str
) -> None:
    stub.will(says_text(body))

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())


@pytest.mark.parametrize(
    "body", ["", "[]", "null", '"text"', '{"code": "x"}', '{"code": null}', '{"msg": 1}']
)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_answer_of_any_shape_leaves_an_order_unknown(
    client: BinanceMargin, stub: Stub, body: str, status: int
) -> None:
    stub.will(says_text(body, status))

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '"text"'])
def test_a_query_answered_with_nothing_is_a_bad_answer(client: BinanceMargin, stub: Stub, body: str) -> None:
    stub.will(says_text(body))

    with pytest.raises(BadAnswer):
        client.find_order("BTCUSDT", "rbs-1")


def test_a_redirected_order_is_not_followed(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({}, 302, {"Location": f"{stub.url}/elsewhere"}))

    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())
    assert [seen.path for seen in stub.seen] == ["/sapi/v1/margin/order"]


def test_a_proxy_from_the_environment_is_not_used(
    client: BinanceMargin, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", unused_address())
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    stub.will(says([{"symbol": "BTCUSDT", "price": "1"}]))

    assert client.prices() == {"BTCUSDT": 1}


def test_a_ban_is_reported_with_its_length_and_silences_queries_but_not_orders(
    client: BinanceMargin, stub: Stub
) -> None:
    stub.will(says({"code": -1003, "msg": "banned"}, 418, {"Retry-After": "60"}))

    with pytest.raises(StopAndPage) as ban:
        client.margin_pairs()
    with pytest.raises(RetryLater) as held:
        client.margin_pairs()
    with pytest.raises(OutcomeUnknown):
        client.send_market_order(market_order())

    assert ban.value.after_s == 60
    assert held.value.after_s == 60
    assert [seen.method for seen in stub.seen] == ["GET", "POST"]


def test_too_many_orders_leave_queries_free(client: BinanceMargin, stub: Stub) -> None:
    stub.will(says({"code": -1015, "msg": "Too many new orders."}, 429), says(account()))

    with pytest.raises(RetryLater):
        client.send_market_order(market_order())

    assert client.margin_pairs() == {}


def test_every_attempt_is_reported_with_its_error(
    client: BinanceMargin, stub: Stub, calls: list[str], reports: list[CallReport]
) -> None:
    stub.will(resets, says({"code": -2010, "msg": "no"}, 400, {"X-SAPI-USED-UID-WEIGHT-1M": "6"}))
    for _ in range(2):
        with pytest.raises(ExchangeError):
            client.send_market_order(market_order())

    assert calls == ["send_market_order"] * 2
    assert [report.http_status for report in reports] == [0, 400]
    assert [type(report.error).__name__ for report in reports] == ["OutcomeUnknown", "Refused"]
    assert reports[1].weights == {"X-SAPI-USED-UID-WEIGHT-1M": 6}
    assert all(report.path == "/sapi/v1/margin/order" for report in reports)


def test_a_failure_after_a_success_is_not_reported_with_the_success_s_status(
    client: BinanceMargin, stub: Stub, reports: list[CallReport]
) -> None:
    stub.will(says(account(), headers={"X-SAPI-USED-IP-WEIGHT-1M": "10"}), resets)
    client.margin_pairs()

    with pytest.raises(OutcomeUnknown):
        client.margin_pairs()

    assert [(report.http_status, len(report.weights)) for report in reports] == [(200, 1), (0, 0)]
