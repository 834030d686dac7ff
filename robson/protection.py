"""Whether a position has somebody who would close it at its stop, judged by what is known right now."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from robson.health import CONSUMER, MISSED_POLLS
from safetynet.models import PollState
from trading.domain.clocks import age
from trading.models import Account, Heartbeat


@dataclass(frozen=True, slots=True)
class Price:
    """The last price of a symbol, in quote currency: when it was paid, and how long ago its stream spoke."""

    price: Decimal
    at: datetime
    age_s: float
    silent_s: float
    source: str


@dataclass(frozen=True, slots=True)
class Guards:
    """How the two that close positions are doing, at a moment.

    Ages in s, None if they have never worked, infinite if that is told by a clock that was set back since.
    """

    at: datetime
    consumer_age_s: float | None = None
    poll_age_s: Mapping[int, float | None] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)

    @property
    def consumer_works(self) -> bool:
        return self.consumer_age_s is not None and self.consumer_age_s <= settings.CONSUMER_SILENT_S

    def poll_works(self, account: Account) -> bool:
        age = self.poll_age_s.get(account.pk)
        return account.active and age is not None and age <= _late_s()

    def without_core(self, account: Account, symbol: str) -> str:
        """Why nobody drives a stop of Core's, or nothing: the consumer does, or the poll in its place."""
        if self.poll_works(account):
            return ""
        if not self.consumer_works:
            return f"{_silent('the consumer', self.consumer_age_s)}, and {self.without_poll(account)}"
        price = self.prices.get(symbol)
        if price is not None and min(price.age_s, price.silent_s) > _late_s():
            return f"no price of {symbol} for {price.age_s:.0f} s, and {self.without_poll(account)}"
        return ""

    def without_safety_net(self, account: Account, seen_at: datetime | None) -> str:
        """Why the Safety Net does not look at a guarded position, last seen then (if ever), or nothing."""
        age_s = _age_s(seen_at, self.at)
        if account.active and age_s is not None and age_s <= _late_s():
            return ""
        why = self.without_poll(account)
        return why if why or age_s is None else f"the poll works, and has not seen it {_for(age_s)}"

    def without_poll(self, account: Account) -> str:
        """Why nobody polls this account, or nothing."""
        if not account.active:
            return f"account {account} is switched off"
        if self.poll_works(account):
            return ""
        return _silent("the poll", self.poll_age_s.get(account.pk))

    def last_of(self, symbol: str, polled: Decimal | None, polled_at: datetime) -> Price | None:
        """The newer one of the consumer's price and the one that the poll has seen."""
        streamed = self.prices.get(symbol)
        if polled is None or (streamed is not None and streamed.at >= polled_at):
            return streamed
        return _polled(polled, polled_at, self.at)


def guards(now: datetime) -> Guards:
    """As the database tells it, in two queries."""
    beat = Heartbeat.objects.filter(name=CONSUMER).first()
    polled = dict(PollState.objects.values_list("account_id", "last_success_at"))
    ages = {account: _age_s(last, now) for account, last in polled.items()}
    if beat is None:
        return Guards(now, poll_age_s=ages)
    told = beat.data.get("prices", {})
    prices = {symbol: _price(price, beat.at, now) for symbol, price in told.items()}
    return Guards(now, _age_s(beat.at, now), ages, prices)


def _price(told: Mapping[str, Any], beat_at: datetime, now: datetime) -> Price:
    at = datetime.fromtimestamp(told["at_ms"] / 1000, UTC)
    return Price(
        price=Decimal(told["price"]),
        at=at,
        age_s=_passed_s(at, now),
        silent_s=told["age_s"] + (_age_s(beat_at, now) or 0.0),
        source=told["source"],
    )


def _polled(price: Decimal, at: datetime, now: datetime) -> Price:
    age_s = _passed_s(at, now)
    return Price(price, at, age_s, silent_s=age_s, source="poll")


def _late_s() -> float:
    return float(settings.POLL_INTERVAL_S * MISSED_POLLS)


def _age_s(last: datetime | None, now: datetime) -> float | None:
    if last is None:
        return None
    passed = age(last, now)
    return math.inf if passed == timedelta.max else passed / timedelta(seconds=1)


def _passed_s(at: datetime, now: datetime) -> float:
    """Since a price was paid, by the exchange's clock, which ours may be behind."""
    return max(0.0, (now - at) / timedelta(seconds=1))


def _silent(who: str, age_s: float | None) -> str:
    if age_s is None:
        return f"{who} has never worked"
    return f"{who} has not worked {_for(age_s)}"


def _for(age_s: float) -> str:
    return f"for {age_s:.0f} s" if math.isfinite(age_s) else "since the clock was set back"
