"""Whether the system does its job: each part with what is known about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from safetynet.models import PollState
from trading import queries
from trading.models import Heartbeat

CONSUMER = "consumer"
CONSUMER_SILENT_S = 15
BROKER_TIMEOUT_S = 1.0
# One poll may fail, or be late behind a slow exchange; the third in a row is an alarm.
MISSED_POLLS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that must hold. `age_s` is how long ago it last did, in seconds, None if never."""

    name: str
    ready: bool
    detail: str
    age_s: float | None = None


def parts(now: datetime) -> list[Part]:
    """Database, broker, consumer and every account's poll."""
    broker = _broker()
    try:
        _database()
        return [Part("database", True, "answers"), broker, _consumer(now), *_polls(now)]
    except DatabaseError as error:
        return [Part("database", False, _line(error)), broker]


class Gauges(Collector):
    """The same as metrics, for alarms: 1 or 0 per part, and its age."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: the registry would otherwise collect once more just to learn the names."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        ready = GaugeMetricFamily("robson_ready", "Whether a part does its job", labels=["part"])
        age = GaugeMetricFamily("robson_age_seconds", "Since a part last did its job", labels=["part"])
        for part in parts(self._now):
            ready.add_metric([part.name], float(part.ready))
            if part.age_s is not None:
                age.add_metric([part.name], part.age_s)
        yield ready
        yield age


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> Part:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_TIMEOUT_S, socket_connect_timeout=BROKER_TIMEOUT_S
    )
    try:
        client.ping()
    except redis.RedisError as error:
        return Part("broker", False, _line(error))
    finally:
        client.close()
    return Part("broker", True, "answers")


def _consumer(now: datetime) -> Part:
    beat = Heartbeat.objects.filter(name=CONSUMER).first()
    return _fresh("consumer", beat.at if beat else None, now, CONSUMER_SILENT_S, "heartbeat")


def _polls(now: datetime) -> Iterable[Part]:
    limit = settings.POLL_INTERVAL_S * MISSED_POLLS
    polled = dict(PollState.objects.values_list("account_id", "last_success_at"))
    accounts = queries.active_accounts()
    if not accounts:
        return [Part("poll", False, "no account yet")]
    return [
        _fresh(f"poll:{account}", polled.get(account.pk), now, limit, "successful poll")
        for account in accounts
    ]


def _fresh(name: str, last: datetime | None, now: datetime, limit_s: float, what: str) -> Part:
    if last is None:
        return Part(name, False, f"no {what} yet")
    age = round((now - last).total_seconds(), 1)
    verdict = "in time" if age <= limit_s else f"older than {limit_s} s"
    return Part(name, age <= limit_s, f"last {what} {age} s ago, {verdict}", age)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
