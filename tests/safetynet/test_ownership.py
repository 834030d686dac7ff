"""A question that fails is not an answer."""

import pytest
from django.db import transaction

from robson.local.simulator import SimulatorProcess
from safetynet import exclusions
from safetynet.domain import Ownership
from safetynet.models import GuardedPosition
from safetynet.services import is_core_managed
from tests import factories
from tests.safetynet.support import Poll, core_unreadable, live_guard
from trading.domain.lifecycle import GuardState
from trading.domain.types import Side
from trading.models import Account

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_failed_query_is_unknown_and_logged(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    with core_unreadable():
        answer = is_core_managed(account, "BTCUSDT", Side.LONG)

    assert answer.ownership is Ownership.UNKNOWN
    assert "cannot tell whether Core manages BTCUSDT Long" in caplog.text


def test_a_failed_query_leaves_the_callers_transaction_usable(account: Account) -> None:
    with core_unreadable(), transaction.atomic():
        assert is_core_managed(account, "BTCUSDT", Side.LONG).ownership is Ownership.UNKNOWN
        factories.guard()

    assert GuardedPosition.objects.count() == 1


def test_unknown_ownership_does_not_start_guarding(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")

    with core_unreadable():
        report = poll()

    assert (report.found, report.opened, report.monitored) == (1, 0, 0)
    assert not GuardedPosition.objects.exists()
    assert poll().opened == 1


def test_unknown_ownership_leaves_the_exclusion_set_as_it_is(poll: Poll, market: SimulatorProcess) -> None:
    core = factories.core_position("BTCUSDT", Side.LONG)
    assert poll().failures == []

    with core_unreadable():
        report = poll()

    assert report.failures == []
    assert exclusions.contains(core.slot.key) is True


def test_unknown_ownership_does_not_release_and_keeps_enforcing(poll: Poll, market: SimulatorProcess) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    factories.core_position("BTCUSDT", Side.LONG)
    market.control.price("BTCUSDT", "50000")

    with core_unreadable():
        report = poll()

    assert (report.monitored, report.released) == (1, 0)
    assert report.exits_requested == [live_guard().pk]
    assert live_guard().state == GuardState.GUARDING
