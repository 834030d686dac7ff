"""What the database knows, as metrics: read at each scrape, in a fixed number of queries."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count, Min
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector

from robson import health
from robson.holdings import Holding, holdings
from robson.protection import guards
from safetynet.models import PollState
from trading.domain.clocks import age as passed_since
from trading.domain.lifecycle import LIVE_INTENT_STATES
from trading.exchange.calls import QUERY_SHARE
from trading.exchange.weights import LIMITS
from trading.models import Account, Heartbeat, OrderIntent
from trading.models.intent import Owner, Purpose

PROTECTORS = ("core", "safety_net", "exempt", "nobody")


class Gauges(Collector):
    """Parts, prices, positions, live order intents, polls. Nothing of what cannot be read now."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> Iterable[Gauge]:
        """Nothing: the registry would otherwise collect once more just to learn the names."""
        return ()

    def collect(self) -> Iterable[Gauge]:
        parts = health.parts(self._now)
        told = self._told_by_the_database(parts) if parts[0].ready else []
        yield from (*_readiness(parts), *_limits(), *told)

    def _told_by_the_database(self, parts: list[health.Part]) -> list[Gauge]:
        now = self._now
        try:
            with health.quick_answers():
                told = [*_prices(now), *_positions(now), *_intents(now), *_polls()]
                parts.append(health.alarms(now))
        except DatabaseError:
            # It went away just now: the next scrape says so.
            return []
        return told


def _readiness(parts: Iterable[health.Part]) -> Iterator[Gauge]:
    ready = Gauge("robson_ready", "Whether a part does its job", labels=["part"])
    age = Gauge("robson_age_seconds", "Since a part last did its job", labels=["part"])
    for part in parts:
        ready.add_metric([part.name], float(part.ready))
        if part.age_s is not None:
            age.add_metric([part.name], part.age_s)
    yield from (ready, age)


def _limits() -> Iterator[Gauge]:
    weight = Gauge("robson_rate_limit_weight", "Weight that may be used in a minute", labels=["limit"])
    for limit, most in LIMITS.items():
        weight.add_metric([limit], most)
    yield weight
    share = "Share of each limit that only exits may use"
    yield Gauge("robson_rate_limit_exit_share", share, value=round(1 - QUERY_SHARE, 3))


def _prices(now: datetime) -> Iterator[Gauge]:
    age = Gauge("robson_price_age_seconds", "Since anything was heard of a symbol's price", labels=["symbol"])
    stale = Gauge(
        "robson_price_stale", "Whether it trades, and its stream does not say so", labels=["symbol"]
    )
    for symbol, price in guards(now).prices.items():
        age.add_metric([symbol], min(price.age_s, price.silent_s))
    beat = Heartbeat.objects.filter(name=health.CONSUMER).first()
    silent = health.silent_streams(beat) if beat else {}
    for symbol in beat.data.get("symbols", ()) if beat else ():
        stale.add_metric([symbol], float(symbol in silent))
    yield from (age, stale)


def _positions(now: datetime) -> Iterator[Gauge]:
    accounts = list(Account.objects.all())
    exposed = [one for one in holdings(accounts, now=now) if one.exposed]
    counted = Counter((one.account, _protector(one)) for one in exposed)
    positions = Gauge(
        "robson_exposed_positions", "Positions with money at stake", labels=["account", "protector"]
    )
    unprotected = Gauge(
        "robson_unprotected_positions", "Of these, those that nobody would close", labels=["account"]
    )
    for account in accounts:
        unprotected.add_metric([account.name], counted[account.name, "nobody"])
        for protector in PROTECTORS:
            positions.add_metric([account.name, protector], counted[account.name, protector])
    yield from (positions, unprotected)


def _protector(holding: Holding) -> str:
    if holding.exempt:
        return "exempt"
    if holding.unprotected_because:
        return "nobody"
    return "core" if holding.kind == "core" else "safety_net"


def _intents(now: datetime) -> Iterator[Gauge]:
    live = OrderIntent.objects.filter(state__in=LIVE_INTENT_STATES).order_by()
    grouped = live.values_list("owner", "purpose", "state").annotate(Count("id"), Min("created_at"))
    found = {(owner, purpose, state): (count, oldest) for owner, purpose, state, count, oldest in grouped}
    count = Gauge(
        "robson_live_order_intents", "Orders that are not settled", labels=["owner", "purpose", "state"]
    )
    age = Gauge("robson_oldest_live_order_intent_age_seconds", "Age of the oldest of these", labels=["owner"])
    for owner in Owner:
        for purpose in Purpose:
            for state in LIVE_INTENT_STATES:
                count.add_metric([owner, purpose, state], found.get((owner, purpose, state), (0,))[0])
        oldest = min((since for (whose, _, _), (_, since) in found.items() if whose == owner), default=now)
        age.add_metric([owner], passed_since(oldest, now) / timedelta(seconds=1))
    yield from (count, age)


def _polls() -> Iterator[Gauge]:
    success = Gauge(
        "safety_net_last_poll_success_timestamp_seconds",
        "When the last poll without a failure ended (Unix time)",
        labels=["account"],
    )
    failures = Gauge("safety_net_poll_failures_in_a_row", "Failed polls since then", labels=["account"])
    for state in PollState.objects.select_related("account"):
        failures.add_metric([state.account.name], state.failures_in_a_row)
        if state.last_success_at is not None:
            success.add_metric([state.account.name], state.last_success_at.timestamp())
    interval = Gauge("safety_net_poll_interval_seconds", "The schedule", value=settings.POLL_INTERVAL_S)
    yield from (success, failures, interval)
