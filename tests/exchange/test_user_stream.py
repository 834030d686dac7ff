"""User data against the simulator: the owner's trades, and tokens that run out."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from robson.local.simulator import DEMO_KEY, DEMO_SECRET, SimulatorProcess
from tests.exchange.waiting import running, until
from trading.exchange.connection import Link, LinkState
from trading.exchange.endpoints import Endpoints
from trading.exchange.errors import Refused, RetryLater
from trading.exchange.parsing import ListenToken
from trading.exchange.rest import BinanceMargin
from trading.exchange.user_events import BalanceEvent, OrderEvent, UserEvent, user_event
from trading.exchange.user_stream import NewToken, UserStream


@dataclass
class Heard:
    events: list[UserEvent] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)

    def links(self, link: Link) -> int:
        return sum(state.link is link for state in self.states)

    def statuses(self, symbol: str) -> list[str]:
        return [one.status for one in self.events if isinstance(one, OrderEvent) and one.symbol == symbol]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def exchange(simulator: SimulatorProcess) -> Iterator[BinanceMargin]:
    endpoints = Endpoints.from_values(simulator.environment())
    client = BinanceMargin(endpoints, api_key=DEMO_KEY, api_secret=DEMO_SECRET)
    yield client
    client.close()


def tokens_of(exchange: BinanceMargin, validity_ms: int = 3_600_000) -> NewToken:
    async def new_token(symbol: str) -> ListenToken:
        return await asyncio.to_thread(exchange.listen_token, symbol, validity_ms=validity_ms)

    return new_token


def stream_of(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard, new_token: NewToken | None = None
) -> UserStream:
    return UserStream(
        f"{simulator.ws_url}/ws-api/v3",
        new_token or tokens_of(exchange),
        heard.events.append,
        heard.states.append,
        now_ms=exchange.now_ms,
        jitter=lambda: 1.0,
    )


async def test_a_trade_by_hand_is_heard_of(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    simulator.control.price("BTCUSDT", "60000")
    stream = stream_of(simulator, exchange, heard)
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED))
        simulator.control.trade("BUY", "0.001", symbol="BTCUSDT")
        await until(lambda: any(isinstance(event, BalanceEvent) for event in heard.events))

    assert heard.statuses("BTCUSDT") == ["NEW", "FILLED"]
    balance = next(event for event in heard.events if isinstance(event, BalanceEvent))
    assert balance.symbol == "BTCUSDT"
    assert "BTC" in balance.assets


async def test_pairs_are_followed_as_they_are_wanted_on_one_connection(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    simulator.control.price("BTCUSDT", "60000")
    simulator.control.price("ETHUSDT", "2500")
    stream = stream_of(simulator, exchange, heard)
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        stream.set_symbols({"ETHUSDT"})
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)
        simulator.control.trade("BUY", "0.001", symbol="BTCUSDT")
        simulator.control.trade("BUY", "0.1", symbol="ETHUSDT")
        await until(lambda: "FILLED" in heard.statuses("ETHUSDT"))

    assert heard.statuses("BTCUSDT") == []
    assert heard.links(Link.CONNECTED) == 1


async def test_a_dropped_connection_comes_back_with_its_subscriptions(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    simulator.control.price("BTCUSDT", "60000")
    stream = stream_of(simulator, exchange, heard)
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 1)
        simulator.control.fault("drop_stream", stream="user", count=1)
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)
        simulator.control.trade("BUY", "0.001", symbol="BTCUSDT")
        await until(lambda: "FILLED" in heard.statuses("BTCUSDT"))


async def test_a_subscription_is_renewed_before_its_token_runs_out(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    simulator.control.price("BTCUSDT", "60000")
    stream = stream_of(simulator, exchange, heard, tokens_of(exchange, validity_ms=1_000))
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 3)
        simulator.control.trade("BUY", "0.001", symbol="BTCUSDT")
        await until(lambda: "FILLED" in heard.statuses("BTCUSDT"))

    assert heard.links(Link.CONNECTED) == 1


async def test_a_terminated_subscription_is_made_again(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    simulator.control.price("BTCUSDT", "60000")
    short = tokens_of(exchange, validity_ms=300)

    async def lying(symbol: str) -> ListenToken:
        """The token ends before it says, so that its renewal comes too late."""
        return ListenToken((await short(symbol)).token, exchange.now_ms() + 3_600_000)

    stream = stream_of(simulator, exchange, heard, lying)
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED) == 2)

    assert heard.links(Link.CONNECTED) == 1


async def test_a_token_that_cannot_be_had_is_reported_and_asked_for_again(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    good = tokens_of(exchange)
    errors = [Refused("no", code=-1), RetryLater("wait", after_s=0.05)]

    async def failing_first(symbol: str) -> ListenToken:
        if errors:
            raise errors.pop()
        return await good(symbol)

    stream = stream_of(simulator, exchange, heard, failing_first)
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED))

    assert heard.links(Link.REFUSED) == 2
    assert heard.links(Link.CONNECTED) == 1


async def test_a_token_that_is_not_accepted_is_replaced(
    simulator: SimulatorProcess, exchange: BinanceMargin, heard: Heard
) -> None:
    good = tokens_of(exchange)
    handed_out: list[str] = []

    async def wrong_first(symbol: str) -> ListenToken:
        token = await good(symbol)
        handed_out.append(symbol)
        return token if len(handed_out) > 1 else ListenToken("nonsense", token.expires_ms)

    stream = stream_of(simulator, exchange, heard, wrong_first)
    stream.set_symbols({"BTCUSDT"})

    async with running(stream.run()):
        await until(lambda: heard.links(Link.SUBSCRIBED))

    refusal = next(state for state in heard.states if state.link is Link.REFUSED)
    assert "BTCUSDT" in refusal.detail
    assert "-1209" in refusal.detail


def execution(**changes: Any) -> dict[str, Any]:
    values = {
        "e": "executionReport",
        "E": 5,
        "s": "BTCUSDT",
        "c": "cancel-1",
        "C": "",
        "x": "TRADE",
        "X": "FILLED",
        "i": 28,
    }
    return values | changes


def test_a_cancel_is_an_event_of_the_order_it_cancelled() -> None:
    event = user_event(execution(C="rbs-1", x="CANCELED", X="CANCELED"), symbol="BTCUSDT")

    assert event == OrderEvent("BTCUSDT", "28", "rbs-1", "CANCELED", "CANCELED", 5)


@pytest.mark.parametrize("original", ["", None])
def test_any_other_report_is_an_event_of_the_order_itself(original: str | None) -> None:
    event = user_event(execution(C=original), symbol="BTCUSDT")

    assert isinstance(event, OrderEvent)
    assert event.client_order_id == "cancel-1"


@pytest.mark.parametrize(
    "event",
    [None, [], "text", {}, {"e": "balanceUpdate"}, execution(i="x"), execution(s=""), execution(X=None)],
)
def test_other_and_malformed_events_are_none(event: Any) -> None:
    assert user_event(event, symbol="BTCUSDT") is None
