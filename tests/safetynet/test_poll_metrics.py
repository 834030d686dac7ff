"""How polls have gone, as numbers."""

from datetime import timedelta

import pytest
from django.conf import settings

from robson.local.simulator import SimulatorProcess
from safetynet import lease, metrics
from safetynet.models import PollState
from tests.safetynet.support import Poll
from tests.trading.counting import counted
from trading import gateway
from trading.models import Account

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_poll_is_counted_by_its_outcome_and_timed(
    poll: Poll, account: Account, market: SimulatorProcess
) -> None:
    with counted(metrics.POLLS) as polls, counted(metrics.DURATION, "_count") as timed:
        poll()
        market.control.fault("http_status", status=503, path="isolated/account", count=1)
        poll()
        turn = lease.begin(account, "another", gateway.utc_now())
        assert turn is not None
        poll()
    assert polls == {("main", "ok"): 1, ("main", "failed"): 1, ("main", "busy"): 1}
    assert timed == {("main",): 2}


def test_lag_is_what_is_beyond_one_interval_after_the_poll_before(account: Account) -> None:
    now, interval = gateway.utc_now(), timedelta(seconds=settings.POLL_INTERVAL_S)
    late = []
    for started in (now, now + interval, now + 2 * interval + timedelta(seconds=7)):
        turn = lease.begin(account, "poll", started)
        assert turn is not None
        late.append(turn.late_s)
        lease.end(turn, started)
    assert late == [0, 0, 7]
    assert PollState.objects.get().polls == 3


def test_the_lag_of_each_poll_that_runs_is_told(poll: Poll, account: Account) -> None:
    with counted(metrics.LAG, "_count") as told:
        poll()
        poll()
    assert told == {("main",): 2}
