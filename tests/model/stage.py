"""What all examples of a test share."""

import gc
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from robson.celery import app
from safetynet import exclusions
from tests.model.clock import LogicalClock
from tests.model.executors import Executor, committing, committing_alone
from tests.model.world import World
from trading import gateway, readahead, single_statement
from trading.domain.events import EventKind
from trading.domain.lifecycle import LIVE_INTENT_STATES, IntentState
from trading.models import Heartbeat, OrderIntent
from trading.watchdog import CONSUMER

EXECUTORS = 3
# Port 1 of the loopback interface: refused at once.
NOBODY_LISTENS = "redis://127.0.0.1:1/0"
# Nothing in these tests outlives the server: its promise to survive a power cut is not needed.
NO_POWER_CUTS = " -c synchronous_commit=off"


class Stage:
    """The executors, and Robson's doors to the outside, which lead to whichever world is on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        self.finished = 0
        """Examples that have come to their end."""
        self.kinds: Counter[EventKind] = Counter()
        """What has happened in these."""
        self.failing = False
        self._world: World | None = None
        connection.settings_dict["OPTIONS"]["options"] += NO_POWER_CUTS
        Heartbeat.objects.create(name=CONSUMER, at=LogicalClock().now())
        self.executors = [Executor() for _ in range(EXECUTORS)]
        self._redis_url = settings.REDIS_URL
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._lead(patch)
        # What is there now stays: not to look through it again and again makes examples quicker.
        gc.freeze()

    def _lead(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(gateway, "exchange_for", lambda _account: self.world.bridge)
        patch.setattr(gateway, "utc_now", self._now)
        patch.setattr(readahead, "begin", lambda _account, symbol: self.world.begin_read(symbol))
        patch.setattr(app, "send_task", self._send_task)
        wrapper: Any = BaseDatabaseWrapper
        patch.setattr(wrapper, "_commit", committing(wrapper._commit))
        alone = committing_alone(single_statement.move_and_insert)
        patch.setattr(single_statement, "move_and_insert", alone)

    def _now(self) -> datetime:
        return self.world.clock.now()

    def _send_task(self, *task: Any, **how: Any) -> None:
        self.world.broker.send_task(*task, **how)

    @property
    def world(self) -> World:
        assert self._world is not None
        return self._world

    def new_world(self) -> World:
        if self.failing:
            # A sweep looks at all accounts, and would find what a failed example has left.
            OrderIntent.objects.filter(state__in=LIVE_INTENT_STATES).update(state=IntentState.DONE)
            self.failing = False
        self._world = World(self.executors)
        self.redis_is_away(False)
        return self._world

    def redis_is_away(self, away: bool) -> None:
        """The exclusion set cannot be reached, and nothing can be queued."""
        settings.REDIS_URL = NOBODY_LISTENS if away else self._redis_url
        self.world.broker.away = away

    def empty_redis(self) -> None:
        """Redis was restarted: it knows nothing."""
        self._redis.delete(exclusions.set_name(self.world.account.name))

    def close(self) -> None:
        """End the executors' threads and sessions."""
        gc.unfreeze()
        settings.REDIS_URL = self._redis_url
        self._redis.close()
        for executor in self.executors:
            executor.stop()
        options = connection.settings_dict["OPTIONS"]
        options["options"] = options["options"].removesuffix(NO_POWER_CUTS)
