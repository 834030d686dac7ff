"""The poll's worker, as a process of its own and without beat: nobody else asks it to poll."""

import pytest

from robson.local import commands
from robson.local.simulator import SimulatorProcess
from safetynet.models import GuardedPosition, PollState
from tests.live import LiveProcesses
from tests.safetynet.support import eventually
from trading.models import Account

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_a_worker_polls_as_soon_as_it_is_up(
    account: Account, market: SimulatorProcess, live_process: LiveProcesses
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    live_process.start(commands.worker("safetynet", concurrency=1))

    eventually(GuardedPosition.objects.exists)


def test_a_poll_that_failed_is_tried_again_before_the_next_one_is_due(
    account: Account, market: SimulatorProcess, live_process: LiveProcesses
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    market.control.fault("http_status", status=503, path="isolated/account", count=1)

    live_process.start(commands.worker("safetynet", concurrency=1))

    eventually(GuardedPosition.objects.exists)
    assert PollState.objects.get().polls == 2
