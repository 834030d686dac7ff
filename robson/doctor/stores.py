"""PostgreSQL, which holds the truth, and Redis, which carries the queues."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from robson.doctor.findings import Check, Finding, failed, graded, ok, warning

SLOW_MS = 50.0
CLOCKS_APART_S, CLOCKS_FAR_APART_S = 1.0, 10.0
MOSTLY_USED = 0.8
REDIS_TIMEOUT_S = 2.0
START = "Start it (`make run` starts everything on this machine), or correct {}."
# Without these, what was committed before an order was sent may be gone after a power cut.
MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")


def database() -> list[Finding]:
    try:
        connection.ensure_connection()
        took_ms = _quickest_ms(lambda: _value("SELECT 1"))
        server_now = _value("SELECT clock_timestamp()")
    except DatabaseError as error:
        reason = str(error).strip().splitlines()
        return [failed("database", reason[0] if reason else "no answer", START.format("DATABASE_URL"))]
    apart_s = abs((server_now - datetime.now(UTC)) / timedelta(seconds=1))
    return [
        graded(
            "database",
            took_ms,
            f"answers in {took_ms:.1f} ms",
            "Find out what keeps it busy, or move it nearer: each exit waits for it several times.",
            warn_above=SLOW_MS,
        ),
        graded(
            "database clock",
            apart_s,
            f"{apart_s:.1f} s from this machine's",
            "Set both clocks right (NTP): ages of polls and heartbeats are wrong by as much.",
            warn_above=CLOCKS_APART_S,
            fail_above=CLOCKS_FAR_APART_S,
        ),
        _durability(),
        _room_for_connections(),
    ]


def _durability() -> Finding:
    off = [name for name in MUST_BE_ON if _value(f"SHOW {name}") == "off"]
    if off:
        advice = "Switch it on in PostgreSQL's settings: an order that is sent must stay recorded."
        return failed("durability", f"{' and '.join(off)} off", advice)
    return ok("durability", "what is committed survives a power cut")


def _room_for_connections() -> Finding:
    used = int(_value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))
    most = int(_value("SHOW max_connections"))
    advice = "Raise max_connections, or end what holds them: `SELECT * FROM pg_stat_activity` tells who does."
    detail = f"{used} of {most} are in use"
    return graded("connections", used / most, detail, advice, warn_above=MOSTLY_USED)


def migrations() -> list[Finding]:
    executor = MigrationExecutor(connection)
    missing = [str(step) for step, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if missing:
        advice = "Run `python manage.py migrate` (`make run` does it at its start)."
        return [failed("migrations", f"{len(missing)} not applied, {missing[0]} first", advice)]
    return [ok("migrations", "all applied")]


def redis() -> list[Finding]:
    try:
        with closing(client()) as server:
            took_ms = _quickest_ms(server.ping)
            memory = server.info("memory")
    except RedisError as error:
        return [failed("redis", str(error), START.format("REDIS_URL"))]
    advice = "Find out what keeps it busy, or move it nearer: it carries the queues."
    answers = graded("redis", took_ms, f"answers in {took_ms:.1f} ms", advice, warn_above=SLOW_MS)
    return [answers, _memory(memory)]


def _memory(memory: dict[str, str | int]) -> Finding:
    used, most = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        advice = "Set maxmemory-policy to noeviction: a queue that is evicted is tasks that are lost."
        return warning("redis memory", f"it throws data away when it is full ({policy})", advice)
    detail = f"{used / 2**20:.0f} MiB used" + (f" of {most / 2**20:.0f}" if most else "")
    advice = "Raise maxmemory, or see why queues grow: a full Redis takes no more tasks."
    return graded("redis memory", used / most if most else 0.0, detail, advice, warn_above=MOSTLY_USED)


def client() -> Redis:
    """A connection of one's own that gives up soon."""
    return Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def _quickest_ms(question: Callable[[], object]) -> float:
    """Of three: what else this machine does meanwhile is not the server's fault."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        question()
        took.append(time.perf_counter() - started)
    return min(took) * 1000


def _value(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


CHECKS = (
    Check("database", database),
    Check("migrations", migrations, needs=("database",)),
    Check("redis", redis),
)
