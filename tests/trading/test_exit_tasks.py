"""The task that executes an intent: only who had the intent in hand comes back for it."""

import redis

from tests.trading.world import World
from trading import execution, tasks

ORDER = {"path": "margin/order", "method": "POST"}


def test_a_task_that_had_to_postpone_the_exit_comes_back_when_it_is_due(
    world: World, redis_client: redis.Redis
) -> None:
    position = world.enter()
    world.control.fault("error_code", code=-1013, msg="Filter failure: LOT_SIZE", **ORDER)
    intent = world.request_exit(position)
    tasks.execute_intent(intent.pk)
    assert redis_client.llen("exits") == 1


def test_a_task_that_finds_the_exit_in_other_hands_does_not_come_back(
    world: World, redis_client: redis.Redis
) -> None:
    intent = world.request_exit(world.enter())
    assert execution.take(intent.pk, world.desk)
    tasks.execute_intent(intent.pk)
    assert redis_client.llen("exits") == 0


def test_a_task_that_has_done_all_of_it_does_not_come_back(world: World, redis_client: redis.Redis) -> None:
    intent = world.request_exit(world.enter())
    tasks.execute_intent(intent.pk)
    assert len(world.orders("SELL")) == 1
    assert redis_client.llen("exits") == 0
