"""How long after its trigger an exit's order left, and was filled. Told afterwards: no order waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from prometheus_client import Histogram

from trading import metrics
from trading.domain.types import OrderReport
from trading.exchange.errors import ExchangeError, NotSent
from trading.exchange.port import Exchange
from trading.models import OrderIntent


@contextmanager
def until_order(intent: OrderIntent, leaving_at: datetime) -> Iterator[None]:
    """The order is sent in here; one that provably never left is not counted."""
    try:
        yield
    except NotSent:
        raise
    except ExchangeError:
        _observe(metrics.TRIGGER_TO_ORDER, intent, leaving_at)
        raise
    _observe(metrics.TRIGGER_TO_ORDER, intent, leaving_at)


def until_fill(intent: OrderIntent, filled_at: datetime | None) -> None:
    """Count an order's last fill, `filled_at` by our clock, once the caller's transaction is committed."""
    if filled_at is None:
        return

    def observe() -> None:
        _observe(metrics.TRIGGER_TO_FILL, intent, filled_at)

    metrics.once_committed(observe)


def filled_at(report: OrderReport, exchange: Exchange, now: datetime) -> datetime | None:
    """When its last fill was, by our clock: as long ago as by the exchange's. None without a fill."""
    if not report.fills:
        return None
    last_ms = max(fill.time_ms for fill in report.fills)
    return now - timedelta(milliseconds=exchange.now_ms() - last_ms)


def _observe(histogram: Histogram, intent: OrderIntent, at: datetime) -> None:
    # Entries have no trigger, nor have exits from before it was kept.
    if intent.triggered_at is not None:
        seconds = (at - intent.triggered_at) / timedelta(seconds=1)
        histogram.labels(owner=intent.owner).observe(max(0.0, seconds))
