"""What stands in the way of a safety exit and what does not, and how much there still is to sell."""

from datetime import timedelta

import pytest
import redis

from robson.local.simulator import SimulatorProcess
from safetynet import exits, services
from safetynet.models import Exemption, GuardedPosition
from tests import factories
from tests.safetynet.support import our_orders
from trading.domain.types import Side
from trading.execution import Desk, Part
from trading.models import Account
from trading.models.intent import Owner

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("symbol", "until_s", "ended"),
    [("ETHUSDT", 3600, False), ("BTCUSDT", -60, False), ("BTCUSDT", 3600, True)],
    ids=["of another slot", "run out", "ended"],
)
def test_an_exemption_that_is_not_in_force_here_does_not_stand_in_the_way(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess, *, symbol: str, until_s: int, ended: bool
) -> None:
    now = desk.clock()
    Exemption.objects.create(
        slot=factories.slot(symbol),
        reason="news",
        created_at=now - timedelta(hours=1),
        until=now + timedelta(seconds=until_s),
        ended_at=now if ended else None,
    )

    services.exit_guard(touched.pk, desk)

    assert len(our_orders(market)) == 1


def test_a_position_of_cores_elsewhere_does_not_stand_in_the_way(
    touched: GuardedPosition, desk: Desk, market: SimulatorProcess
) -> None:
    factories.core_position("BTCUSDT", Side.SHORT)
    factories.core_position("ETHUSDT", Side.LONG)

    services.exit_guard(touched.pk, desk)

    assert len(our_orders(market)) == 1


def test_an_exclusion_set_that_is_right_is_left_as_it_is(
    touched: GuardedPosition, desk: Desk, redis_client: redis.Redis
) -> None:
    redis_client.sadd("core_exclusion_set:main", "what a rebuild would forget")

    services.exit_guard(touched.pk, desk)

    assert redis_client.scard("core_exclusion_set:main") == 1


@pytest.mark.parametrize(("last_trade_id", "known"), [(0, False), (7, True)])
def test_what_is_left_of_a_guard_is_told_from_the_trades_that_it_was_read_from(
    account: Account, last_trade_id: int, known: bool
) -> None:
    guard = factories.guard(last_trade_id=last_trade_id)
    intent = factories.intent(guard.slot, owner=Owner.SAFETY_NET, guard_id=guard.pk)

    assert exits.part(intent, "BTC") == (Part(guard.quantity, 7, frozenset()) if known else None)


def test_the_part_of_a_guard_that_is_not_there_is_not_told(account: Account) -> None:
    guard = factories.guard(last_trade_id=7)
    intent = factories.intent(guard.slot, owner=Owner.SAFETY_NET)

    assert exits.part(intent, "BTC") is None
