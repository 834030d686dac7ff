"""Whether the system does its job: each part with what is known about it."""

import select
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import OperationalError, connection, transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from safetynet.models import PollState
from trading import queries
from trading.domain.clocks import latest
from trading.domain.lifecycle import OWNED_STATES
from trading.models import Heartbeat, Position

CONSUMER = "consumer"
CONSUMER_SILENT_S = 15
ALARMS = "alarms"
ALARMS_SILENT_S = 15
BROKER_ANSWERS_S = 1.0
DATABASE_ANSWERS_S = 2
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
    """Database, broker, consumer, the streams that stops depend on, and every account's poll.

    Bounded, whatever hangs: by `BROKER_ANSWERS_S` and a few times `DATABASE_ANSWERS_S`.
    """
    messenger = broker()
    try:
        with quick_answers():
            told = [*_consumer(now), *_polls(now)]
    except DatabaseError as error:
        return [Part("database", False, _line(error)), messenger]
    return [Part("database", True, "answers"), messenger, *told]


@contextmanager
def quick_answers() -> Iterator[None]:
    """Questions to the database in here take seconds at most. Raises DatabaseError, even if it only hangs."""
    _must_answer(DATABASE_ANSWERS_S)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{DATABASE_ANSWERS_S}s"])
        yield


def _must_answer(within_s: float) -> None:
    # A server that hangs keeps its connections, and PostgreSQL's own time-outs are the server's to watch.
    connection.ensure_connection()
    raw = connection.connection.pgconn
    raw.send_query(b"SELECT 1")
    if not select.select([raw.socket], [], [], within_s)[0]:
        connection.close()
        raise OperationalError(f"no answer within {within_s} s")
    while raw.get_result() is not None:
        pass


def broker() -> Part:
    """Whether Redis answers within a second. Raises nothing of Redis's."""
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=BROKER_ANSWERS_S,
        socket_connect_timeout=BROKER_ANSWERS_S,
        # By default it would ask four times, and wait in between.
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    except redis.RedisError as error:
        return Part("broker", False, _line(error))
    finally:
        client.close()
    return Part("broker", True, "answers")


def _consumer(now: datetime) -> Iterable[Part]:
    beat = Heartbeat.objects.filter(name=CONSUMER).first()
    yield _fresh("consumer", beat.at if beat else None, now, CONSUMER_SILENT_S, "heartbeat")
    silent = silent_streams(beat) if beat else {}
    # Core's stops depend on a stream; the Safety Net asks for its prices at each poll.
    at_stake = Position.objects.filter(state__in=OWNED_STATES, slot__symbol__in=silent).order_by()
    symbols = sorted(at_stake.values_list("slot__symbol", flat=True).distinct())
    if not symbols:
        yield Part("feed", True, "no stream that a stop depends on is silent")
    for symbol in symbols:
        yield _silent_feed(symbol, silent[symbol], beat.at if beat else now, now)


def silent_streams(beat: Heartbeat) -> dict[str, float | None]:
    """The symbols that trade unheard, with the silence in seconds at the consumer's heartbeat, if known.

    A market without a trade is stale as well, but nothing is amiss with its stream.
    """
    prices = beat.data.get("prices", {})
    silent = beat.data.get("silent", beat.data.get("stale", ()))
    return {symbol: prices.get(symbol, {}).get("age_s") for symbol in silent}


def _silent_feed(symbol: str, silent_s: float | None, told_at: datetime, now: datetime) -> Part:
    if silent_s is None:
        return Part(f"feed:{symbol}", False, "its stream has told no price yet, REST prices stand in")
    age = round(silent_s + (now - told_at).total_seconds(), 1)
    return Part(f"feed:{symbol}", False, f"its stream is silent for {age} s, REST prices stand in", age)


def alarms(now: datetime) -> Part:
    """Whether somebody tells alarms. Not one of `parts`: what trades is ready without it."""
    try:
        beat = Heartbeat.objects.filter(name=ALARMS).first()
    except DatabaseError as error:
        return Part("alarms", False, _line(error))
    return _fresh("alarms", beat.at if beat else None, now, ALARMS_SILENT_S, "heartbeat")


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
    if last > latest(now):
        return Part(name, False, f"last {what} is dated {-age} s ahead: the clock was set back", age)
    verdict = "in time" if age <= limit_s else f"older than {limit_s} s"
    return Part(name, age <= limit_s, f"last {what} {age} s ago, {verdict}", age)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
