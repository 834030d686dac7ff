"""The test that a mutation run begins with, and that cleans up after a test that had to be killed."""

import pytest
import redis

from robson.local.simulator import SimulatorProcess
from trading.models import OrderIntent


@pytest.mark.django_db(transaction=True)
def test_database_redis_and_simulator_are_up_and_empty(
    simulator: SimulatorProcess, redis_client: redis.Redis
) -> None:
    assert simulator.control.healthy()
    assert simulator.control.orders() == []
    assert redis_client.dbsize() == 0
    assert not OrderIntent.objects.exists()
