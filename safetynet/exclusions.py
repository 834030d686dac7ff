"""Layer 2 of the coordination: a Redis set of the slots that Core owns. A hint; the database decides.

Nothing here raises when Redis is away: it is logged, and the answer is "cannot say".
"""

import logging
from collections.abc import Iterable
from functools import cache

from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading import bus
from trading.domain.events import CorePositionClosed, CorePositionOpened
from trading.domain.types import SlotKey

log = logging.getLogger(__name__)


def listen() -> None:
    """Keep the set up with what Core publishes in this process."""
    bus.subscribe(CorePositionOpened, on_core_position_opened)
    bus.subscribe(CorePositionClosed, on_core_position_closed)


def on_core_position_opened(fact: CorePositionOpened) -> None:
    try:
        _redis().sadd(set_name(fact.account), str(fact.slot))
    except RedisError as error:
        log.warning("Safety Net: %s not added to the exclusion set: %s", fact.slot, error)


def on_core_position_closed(fact: CorePositionClosed) -> None:
    try:
        _redis().srem(set_name(fact.account), str(fact.slot))
    except RedisError as error:
        log.warning("Safety Net: %s not removed from the exclusion set: %s", fact.slot, error)


def rebuild(account: str, holdings: Iterable[SlotKey]) -> bool:
    """Replace the account's set by what the database says, in one step. False when Redis is away."""
    members = [str(key) for key in holdings]
    name = set_name(account)
    try:
        with _redis().pipeline(transaction=True) as pipe:
            pipe.delete(name)
            if members:
                pipe.sadd(name, *members)
            pipe.execute()
    except RedisError as error:
        log.warning("Safety Net: the exclusion set of %s is not rebuilt: %s", account, error)
        return False
    return True


def contains(slot: SlotKey) -> bool | None:
    """Whether the set names this slot; None when Redis cannot say."""
    try:
        return bool(_redis().sismember(set_name(slot.account), str(slot)))
    except RedisError as error:
        log.warning("Safety Net: Redis cannot say whether Core owns %s: %s", slot, error)
        return None


def members(account: str) -> frozenset[SlotKey] | None:
    """Every slot that the account's set names; None when Redis cannot say."""
    try:
        return frozenset(SlotKey.parse(str(name)) for name in _redis().smembers(set_name(account)))
    except RedisError as error:
        log.warning("Safety Net: Redis cannot say what Core owns on %s: %s", account, error)
        return None


def set_name(account: str) -> str:
    return f"core_exclusion_set:{account}"


def _redis() -> Redis:
    return _client(settings.REDIS_URL, settings.EXCLUSION_REDIS_TIMEOUT_S)


@cache
def _client(url: str, timeout_s: float) -> Redis:
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # One try: an exit is waiting for the answer, and can do without it.
        retry=Retry(NoBackoff(), 0),
    )
