"""The owner decides otherwise for a while, and it shows."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from robson.local.simulator import SimulatorProcess
from safetynet import services
from safetynet.models import Exemption, GuardedPosition
from safetynet.services import ExemptionRefused
from tests import factories
from tests.factories import NOON
from tests.safetynet.support import Poll, kinds, live_guard
from trading.execution import Desk
from trading.models import Account, Event

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_exemption_is_recorded_with_who_and_why(account: Account) -> None:
    slot = factories.slot("BTCUSDT")

    services.exempt(slot=slot, until=NOON + timedelta(hours=2), reason=" news ", by="owner", at=NOON)

    exemption = Exemption.objects.get()
    assert (exemption.reason, exemption.created_by) == ("news", "owner")
    event = Event.objects.get()
    assert (event.kind, event.slot) == ("guard.exempted", slot)
    assert (event.data["by"], event.data["reason"]) == ("owner", "news")


@pytest.mark.parametrize(
    ("reason", "until", "why"),
    [
        ("  ", NOON + timedelta(hours=1), "needs a reason"),
        ("news", NOON, "in the past"),
    ],
)
def test_an_exemption_without_reason_or_end_is_refused(
    account: Account, reason: str, until: datetime, why: str
) -> None:
    with pytest.raises(ExemptionRefused, match=why):
        services.exempt(slot=factories.slot(), until=until, reason=reason, by="owner", at=NOON)

    assert not Exemption.objects.exists()


def test_an_exempted_position_is_watched_and_its_touch_only_logged(
    poll: Poll, market: SimulatorProcess, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    now = desk.clock()
    services.exempt(slot=live_guard().slot, until=now + timedelta(hours=1), reason="news", by="owner", at=now)
    market.control.price("BTCUSDT", "50000")

    report = poll()

    assert (report.monitored, report.exits_requested) == (1, [])
    assert live_guard().touched_price is None
    assert "Safety Net: BTCUSDT Long is exempted: no exit at 50000" in caplog.messages


def test_an_exemption_forgets_a_touch_that_was_not_acted_on(account: Account) -> None:
    guard = factories.guard(touched_price=Decimal(58000))

    services.exempt(slot=guard.slot, until=NOON + timedelta(hours=1), reason="news", by="owner", at=NOON)

    assert GuardedPosition.objects.get().touched_price is None


def test_an_exemption_runs_out_by_itself(poll: Poll, market: SimulatorProcess, desk: Desk) -> None:
    market.control.trade("BUY", "0.01", symbol="BTCUSDT")
    poll()
    an_hour_ago = desk.clock() - timedelta(hours=1)
    services.exempt(
        slot=live_guard().slot,
        until=an_hour_ago + timedelta(minutes=59),
        reason="news",
        by="owner",
        at=an_hour_ago,
    )
    market.control.price("BTCUSDT", "50000")

    assert len(poll().exits_requested) == 1


def test_an_exemption_ends_once(account: Account) -> None:
    exemption = services.exempt(
        slot=factories.slot(), until=NOON + timedelta(hours=1), reason="news", by="owner", at=NOON
    )

    assert services.end_exemption(exemption=exemption, by="owner", at=NOON) is True
    assert services.end_exemption(exemption=exemption, by="owner", at=NOON) is False
    assert kinds() == ["guard.exempted", "guard.exemption_ended"]


def test_status_shows_guards_core_exemptions_and_the_last_poll(
    poll: Poll, market: SimulatorProcess, desk: Desk, account: Account
) -> None:
    assert services.status(account, desk.clock()).poll_age_s(desk.clock()) is None
    core = factories.core_position("BTCUSDT")
    market.control.trade("SELL", "0.5", symbol="ETHUSDT")
    poll()
    now = desk.clock()
    guard = live_guard()
    exemption = services.exempt(
        slot=guard.slot, until=now + timedelta(hours=1), reason="news", by="owner", at=now
    )

    status = services.status(account, now)

    assert status.guards == [guard]
    assert [held.position_id for held in status.skipped.values()] == [core.pk]
    assert status.exemptions == [exemption]
    assert status.exemption_of(guard) == exemption
    assert status.poll is not None
    age = status.poll_age_s(now)
    assert age is not None
    assert 0 <= age < 60
