"""The account under guard, and a desk that trades on the simulator through the real gateway."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_django import Settings

from robson.local.simulator import SimulatorProcess
from safetynet import services
from safetynet.models import GuardedPosition
from safetynet.services import PollReport
from tests import factories
from tests.safetynet.support import Poll, live_guard
from tests.trading.world import pytest_collection_modifyitems, world
from trading import gateway
from trading.exchange.calls import CallReport
from trading.exchange.rest import BinanceMargin
from trading.execution import Desk
from trading.models import Account

__all__ = ["pytest_collection_modifyitems", "world"]

BTC, ETH = "60000", "3000"


@pytest.fixture
def market(
    simulator: SimulatorProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> SimulatorProcess:
    """A simulator that the gateway connects to, with BTCUSDT at 60,000 and ETHUSDT at 3,000."""
    environment = simulator.environment()
    settings.BINANCE = {name: environment[name] for name in settings.BINANCE}
    for name in ("BINANCE_API_KEY", "BINANCE_API_SECRET"):
        monkeypatch.setenv(name, environment[name])
    simulator.control.price("BTCUSDT", BTC)
    simulator.control.price("ETHUSDT", ETH)
    return simulator


@pytest.fixture
def account(transactional_db: None) -> Account:
    return factories.account()


@pytest.fixture
def desk(market: SimulatorProcess, account: Account) -> Desk:
    return gateway.desk_for(account)


@pytest.fixture
def poll(account: Account, desk: Desk) -> Callable[[], PollReport]:
    """One poll, by this thread."""
    return lambda: services.poll(account, desk)


@pytest.fixture
def calls(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the exchange calls that this thread makes."""
    made: list[str] = []
    assert isinstance(desk.exchange, BinanceMargin)
    caller = desk.exchange._caller
    measure = caller._settings.after_call

    def note(report: CallReport) -> None:
        made.append(report.name)
        measure(report)

    monkeypatch.setattr(caller, "_settings", replace(caller._settings, after_call=note))
    return made


@pytest.fixture
def touched(poll: Poll, market: SimulatorProcess) -> GuardedPosition:
    """A long of 0.01 BTC, bought by hand at 60,000, whose stop has been touched at 58,000."""
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    market.control.price("BTCUSDT", "58000")
    poll()
    return live_guard()
