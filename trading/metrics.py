"""Core's metrics. Counted across processes through the files in `settings.METRICS_DIR`."""

from collections.abc import Callable

from django.db import connection, transaction
from prometheus_client import Counter, Gauge, Histogram

from trading.domain.events import EventKind

EXIT_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)

EXCHANGE_CALLS = Counter(
    "robson_exchange_calls_total", "Calls to the exchange by outcome", ["call", "outcome"]
)
EXCHANGE_SECONDS = Histogram(
    "robson_exchange_call_seconds",
    "Duration of calls to the exchange",
    ["call"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
EVENTS = Counter("robson_events_total", "Rows written to the event log", ["kind"])
# Each from nought on: who looks for an increase would miss the first one of a kind that was not there before.
for _kind in EventKind:
    EVENTS.labels(kind=_kind)
INTENTS = Counter("robson_order_intents_total", "Settled order intents", ["owner", "purpose", "state"])
FRAMES = Counter("robson_market_frames_total", "Market frames by what became of them", ["outcome"])
TRIGGER_TO_ORDER = Histogram(
    "robson_trigger_to_order_seconds",
    "From the price that touched a stop, or the request to close, to each order that left for it",
    ["owner"],
    buckets=EXIT_BUCKETS,
)
TRIGGER_TO_FILL = Histogram(
    "robson_trigger_to_fill_seconds",
    "The same until the last fill of each of these orders, by the exchange's own time",
    ["owner"],
    buckets=EXIT_BUCKETS,
)
WEIGHT_USED = Gauge(
    "robson_rate_limit_used_weight",
    "Request weight used in the minute of the last answer, by everybody at this address",
    ["host", "limit", "path", "account"],
    multiprocess_mode="livemostrecent",
)
REFUSED = Counter(
    "robson_exchange_silences_total",
    "Answers that asked for silence, by HTTP status: 429 too much, 418 banned, 403 firewall",
    ["host", "status"],
)
QUIET_UNTIL = Gauge(
    "robson_exchange_quiet_until_timestamp_seconds",
    "Until when a host has asked for silence (Unix time)",
    ["host"],
    multiprocess_mode="livemax",
)


def once_committed(measure: Callable[[], None]) -> None:
    """Call `measure` once the caller's transaction is committed; at once outside of one."""
    # Django would ask the connection whether it is in one, and raise if that is broken: after a commit.
    if connection.in_atomic_block:
        transaction.on_commit(measure, robust=True)
    else:
        measure()


def count_once_committed(*counters: Counter) -> None:
    """Add one to each: what is rolled back has not happened."""

    def count() -> None:
        for counter in counters:
            counter.inc()

    once_committed(count)
