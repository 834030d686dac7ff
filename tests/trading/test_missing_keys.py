"""An account without its keys in the environment: nothing is sent, and an exit is not stuck because of it."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import factories
from tests.trading.world import World, fresh
from trading import gateway, services
from trading.domain.lifecycle import PositionState
from trading.domain.types import MarginPair
from trading.explain import explain
from trading.models import OrderAttempt
from trading.planning import PairReader, pair_of
from trading.tasks import execute_intent


@pytest.fixture
def alarms(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """What was said at the level CRITICAL."""
    logging.getLogger("trading").addHandler(caplog.handler)
    yield lambda: "\n".join(log.getMessage() for log in caplog.records if log.levelname == "CRITICAL")
    logging.getLogger("trading").removeHandler(caplog.handler)


def begin_read_elsewhere(world: World) -> PairReader:
    """Read the balances in a thread that has no connection yet."""

    def read() -> MarginPair:
        return pair_of(gateway.exchange_for(world.account), "BTCUSDT")

    return ThreadPoolExecutor(1).submit(read).result


def test_exit_whose_balances_cannot_be_read_without_keys_is_an_attempt_that_was_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, alarms: Callable[[], str]
) -> None:
    position = world.enter()
    monkeypatch.delenv("BINANCE_API_KEY")
    intent = services.exit_now(
        position=position,
        reason="test",
        desk=world.desk,
        begin_read=lambda: begin_read_elsewhere(world),
    )
    assert intent is not None
    (attempt,) = OrderAttempt.objects.filter(intent=intent)
    assert (intent.state, intent.lease_until, attempt.status) == ("pending", None, "not_executed")
    assert "BINANCE_API_KEY" in attempt.error
    assert "BINANCE_API_KEY" in alarms()
    assert world.orders("SELL") == []

    monkeypatch.setenv("BINANCE_API_KEY", "demo-key")
    assert world.settle(intent).state == "done"
    assert len(world.orders("SELL")) == 1


def test_worker_without_keys_claims_nothing_and_says_so(world: World, alarms: Callable[[], str]) -> None:
    other = factories.account("other", api_secret_env="NO_SUCH_SECRET")
    position = factories.core_position(state=PositionState.EXITING, of=other)
    intent = factories.intent(position.slot, position=position)
    execute_intent(intent.pk)
    assert (fresh(intent).state, fresh(intent).attempts_made) == ("pending", 0)
    assert "NO_SUCH_SECRET" in alarms()


def test_missing_keys_are_told_in_a_sentence_that_names_the_variables(world: World) -> None:
    other = factories.account("other", api_key_env="NO_SUCH_KEY")
    with pytest.raises(gateway.MissingCredentials) as missing:
        gateway.exchange_for(other)
    assert explain(missing.value) == (
        "Account other: set NO_SUCH_KEY and BINANCE_API_SECRET in the environment."
    )
