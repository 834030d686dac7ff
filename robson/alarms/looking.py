"""What is so right now, as the database tells it: a fixed number of questions, none to the exchange."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings

from robson import health, holdings
from robson.alarms.draft import Links
from robson.alarms.states import About, Exit, Missing, Poll, Sight, Unprotected
from robson.holdings import Holding
from safetynet.models import GuardedPosition, PollState
from trading import queries
from trading.domain.lifecycle import LIVE_INTENT_STATES, GuardState, PositionState
from trading.models import Account, Heartbeat, OrderIntent, Position, Slot
from trading.models.intent import Purpose
from trading.reactions import is_panic

# A poll that has not begun for this many intervals is late.
LATE_INTERVALS = 1.5


def look(now: datetime) -> Sight:
    """Everything that states are judged by. Raises DatabaseError."""
    beat = Heartbeat.objects.filter(name=health.CONSUMER).first()
    return Sight(
        at=now,
        poll_late=timedelta(seconds=settings.POLL_INTERVAL_S * LATE_INTERVALS),
        consumer_beat=beat.at if beat else None,
        silent=tuple(beat.data.get("silent", ())) if beat else (),
        polls=tuple(_polls()),
        exits=tuple(_exits()),
        touched=tuple(_touched(now)),
        unprotected=tuple(_unprotected(one) for one in holdings.unprotected(now)),
        missing=tuple(_missing()),
        broker=_broker(),
    )


def _broker() -> str:
    part = health.broker()
    return "" if part.ready else part.detail


def _polls() -> Iterable[Poll]:
    states = {state.account_id: state for state in PollState.objects.all()}
    for account in queries.active_accounts():
        state = states.get(account.pk)
        if state is None:
            yield Poll(account.name, None, 0, "", "")
        else:
            holder = state.lease_holder.partition(":")[2].partition(":")[0]
            yield Poll(account.name, state.last_started_at, state.failures_in_a_row, state.last_error, holder)


def _exits() -> Iterable[Exit]:
    live = OrderIntent.objects.select_related("slot__account").filter(
        purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES
    )
    for intent in live.order_by("id"):
        links = Links(intent.slot_id, intent.position_id, intent.guard_id, intent.pk)
        yield Exit(
            about=_about(intent.slot, links),
            since=intent.created_at,
            refusals=intent.refusals,
            panicking=is_panic(intent.refusals),
            last_error=intent.last_error,
        )


def _touched(now: datetime) -> Iterable[About]:
    touched = GuardedPosition.objects.select_related("slot__account").filter(
        state=GuardState.GUARDING, touched_price__isnull=False
    )
    exempt = holdings.exemptions(Account.objects.all(), now)
    for guard in touched.order_by("id"):
        if guard.slot_id not in exempt:
            yield _about(guard.slot, Links(guard.slot_id, guard_id=guard.pk))


def _missing() -> Iterable[Missing]:
    missing = Position.objects.select_related("slot__account").filter(
        state=PositionState.ACTIVE, missing_since__isnull=False
    )
    for position in missing.order_by("id"):
        if position.missing_since is not None:
            links = Links(position.slot_id, position_id=position.pk)
            yield Missing(_about(position.slot, links), position.missing_since)


def _unprotected(one: Holding) -> Unprotected:
    links = Links(position_id=one.id) if one.kind == "core" else Links(guard_id=one.id)
    return Unprotected(
        About(one.account, f"{one.symbol} {one.side.capitalize()}", links), one.unprotected_because
    )


def _about(slot: Slot, links: Links) -> About:
    return About(slot.account.name, str(slot), links)
