"""The last share of the request budget is for orders: questions that can wait, wait."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from safetynet.poll import poll
from tests.trading.world import SYMBOL, World
from trading import readahead, services
from trading.exchange.errors import RetryLater, StopAndPage

ACCOUNT = "/sapi/v1/margin/isolated/account"
WEIGHT, LIMIT = 10, 12_000
USED = "X-SAPI-USED-IP-WEIGHT-1M"


@pytest.fixture
def spent(world: World) -> Iterator[World]:
    """A world in which others have used 85 % of this minute's budget for balances."""
    to_next_minute = 60_000 - world.exchange.now_ms() % 60_000
    world.control.fault("clock_skew_ms", ms=to_next_minute)
    world.exchange.sync_clock()
    host = urlsplit(world.simulator.url)
    with closing(http.client.HTTPConnection(host.hostname or "", host.port, timeout=5)) as others:
        for _ in range(LIMIT * 85 // 100 // WEIGHT):
            # It has no signature and is refused, but it has been counted.
            others.request("GET", ACCOUNT, headers={"X-MBX-APIKEY": "demo-key"})
            others.getresponse().read()
    yield world
    assert world.violations() == []


def test_poll_waits_once_its_share_is_spent_and_an_exit_does_not(spent: World) -> None:
    position = spent.enter()
    report = poll(spent.account, spent.desk)
    assert "the request budget is spent" in report.failures[0]
    intent = services.exit_now(position=position, reason="test", desk=spent.desk)
    assert intent is not None
    assert (intent.state, intent.attempts_made) == ("done", 1)


def test_balances_that_are_read_ahead_for_an_exit_do_not_wait_either(spent: World) -> None:
    position = spent.enter()
    readahead.begin(spent.account, SYMBOL)()
    intent = services.exit_now(
        position=position,
        reason="test",
        desk=spent.desk,
        begin_read=lambda: readahead.begin(spent.account, SYMBOL),
    )
    assert intent is not None
    assert (intent.state, intent.attempts_made) == ("done", 1)


def test_clock_is_not_asked_for_while_the_exchange_wants_no_calls(world: World) -> None:
    """Keeping connections warm, every 20 s in every lane, would make a ban longer and longer."""
    world.control.fault("ban", seconds=60)
    with pytest.raises(StopAndPage):
        world.exchange.sync_clock()
    world.control.clear_faults()
    with pytest.raises(RetryLater, match="the exchange wants no calls"):
        world.exchange.sync_clock()
