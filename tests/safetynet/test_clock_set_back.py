"""The machine's clock was ahead and is set back: the next poll does not wait for it."""

from datetime import datetime, timedelta

import pytest

from safetynet import lease
from safetynet.models import PollState
from trading import gateway
from trading.domain.clocks import APART
from trading.models import Account

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def begin(account: Account, now: datetime) -> lease.Lease:
    turn = lease.begin(account, "somebody", now)
    assert turn is not None
    return turn


def test_the_turn_is_free_once_a_poll_has_ended(account: Account) -> None:
    now = gateway.utc_now()
    lease.end(begin(account, now + APART), now + APART)
    assert lease.begin(account, "next", now) is not None


def test_a_poll_that_hangs_since_before_gives_way(account: Account) -> None:
    now = gateway.utc_now()
    hanging = begin(account, now + HOUR)
    assert lease.begin(account, "next", now) is not None
    with pytest.raises(lease.LeaseLost):
        lease.renew(hanging, now)


def test_a_poll_that_goes_on_keeps_its_turn(account: Account) -> None:
    now = gateway.utc_now()
    working = begin(account, now + HOUR)
    lease.renew(working, now)
    assert lease.begin(account, "next", now + lease.LEASE / 2) is None


def test_a_poll_of_a_host_whose_clock_is_a_little_ahead_keeps_its_turn(account: Account) -> None:
    now = gateway.utc_now()
    begin(account, now + APART)
    assert lease.begin(account, "next", now) is None


def test_a_poll_during_which_the_clock_was_set_back_took_no_time(account: Account) -> None:
    now = gateway.utc_now()
    lease.end(begin(account, now + HOUR), now)
    state = PollState.objects.get()
    assert state.last_duration_s == 0
    assert state.last_success_at == now
