"""What the owner does by hand, from the command line or from the admin. Each verb says who asked, and why."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from trading import arming, execution, gateway, journal, queries, services
from trading.arming import ArmOrder, Preview
from trading.domain import pair_search
from trading.domain.events import EventKind
from trading.domain.lifecycle import PositionState
from trading.domain.rounding import to_wire
from trading.domain.types import ListedPair
from trading.explain import NotPossible
from trading.models import Account, OrderIntent, Position
from trading.models.intent import Owner
from trading.tasks import execute_intent

log = logging.getLogger(__name__)

# As much as an intent keeps of it.
REASON_LENGTH = 64
# Which account of Binance's it is.
KEYS = {"api_key_env", "api_secret_env"}
BROKER_ERRORS = (BrokerError, RedisError, OSError)


@dataclass(frozen=True, slots=True)
class HandOver:
    """Which order intents a worker will execute, and which this process must, the broker being away."""

    queued: tuple[int, ...]
    ours: tuple[int, ...]


def preview(*, account: Account, order: ArmOrder) -> Preview:
    """What arming would lead to now. Raises ArmRefused, MissingCredentials, MixedHosts, BadEndpoint."""
    return arming.preview(account=account, order=order, exchange=gateway.exchange_for(account))


def preview_lately(*, account: Account, order: ArmOrder) -> Preview:
    """The same at a price that may be a moment old, for a form that asks with each change."""
    return arming.preview(account=account, order=order, exchange=gateway.quotes_for(account))


def find_symbols(*, account: Account, text: str, most: int) -> list[ListedPair]:
    """Pairs that can be armed and that `text` may mean, the likeliest first. Raises as `preview` does."""
    return pair_search.find(gateway.pairs_for(account), text, most=most)


def arm(*, account: Account, order: ArmOrder, by: str, reason: str = "") -> Position:
    """Arm a slot. Raises ArmRefused, MissingCredentials, MixedHosts, BadEndpoint."""
    exchange, now = gateway.exchange_for(account), gateway.utc_now()
    position = arming.arm(account=account, order=order, exchange=exchange, at=now, by=by, reason=reason)
    log.info("%s armed by %s", position, by)
    return position


def disarm(*, position: Position, reason: str, by: str) -> None:
    """Take an armed position back. Raises DisarmRefused."""
    arming.disarm(position=position, reason=reason, at=gateway.utc_now(), by=by)


def close_now(*, position: Position, reason: str, by: str) -> OrderIntent:
    """Commit the exit of one Active position; `hand_over` gets it executed. Raises NotPossible."""
    if position.state != PositionState.ACTIVE:
        raise NotPossible(f"position {position.pk} is {position.state}, not active: {_instead(position)}")
    intent = services.request_exit(
        position=position,
        reason=reason[:REASON_LENGTH],
        at=gateway.utc_now(),
        owner=Owner.OPERATOR,
        by=by,
    )
    if intent is None:
        raise NotPossible(
            f"position {position.pk} is on its way out, or another exit is under way in {position.slot}; "
            "look at `robson positions`"
        )
    return intent


def panic(*, account: Account, reason: str, by: str) -> list[OrderIntent]:
    """Pause entries, disarm, and commit the exit of every Active position of Core."""
    was_paused = Account.objects.values_list("entries_paused", flat=True).get(pk=account.pk)
    intents = services.panic(account=account, reason=reason[:REASON_LENGTH], at=gateway.utc_now(), by=by)
    if not was_paused:
        _announce(EventKind.ACCOUNT_PAUSED, account, reason, by)
    return intents


def pause_entries(*, account: Account, paused: bool, reason: str, by: str) -> bool:
    """Stop or resume new entries; stops go on working. False when it was so already."""
    with transaction.atomic():
        other = Account.objects.filter(pk=account.pk, entries_paused=not paused)
        changed = other.update(entries_paused=paused)
        if changed:
            kind = EventKind.ACCOUNT_PAUSED if paused else EventKind.ACCOUNT_RESUMED
            _announce(kind, account, reason, by)
    account.entries_paused = paused
    return bool(changed)


def add_account(*, account: Account, reason: str, by: str) -> None:
    """Write a new account: from its first poll on it is watched."""
    with transaction.atomic():
        account.save(force_insert=True)
        _announce(EventKind.ACCOUNT_ADDED, account, reason, by)


def change_account(*, account: Account, fields: Collection[str], reason: str, by: str) -> bool:
    """Write these settings of an account and no others. False when they were so already.

    Raises NotPossible for other keys while Core has something there: what it has is on the account that the
    present ones lead to.
    """
    with transaction.atomic():
        before = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        changes = {
            name: f"{_text(getattr(before, name))} to {_text(getattr(account, name))}"
            for name in fields
            if getattr(before, name) != getattr(account, name)
        }
        if KEYS & changes.keys():
            _require_nothing_of_core(before, "keeps its keys")
        if changes:
            account.save(update_fields=list(changes))
            _announce(EventKind.ACCOUNT_CHANGED, account, reason, by, **changes)
    return bool(changes)


def switch_account(*, account: Account, active: bool, reason: str, by: str) -> bool:
    """Have consumer and poll watch an account, or forget it with all that it holds. False when it was so.

    What the Safety Net guards has no stop from then on: whoever calls this has asked. Raises NotPossible
    while Core has something there (nobody would stand in for its consumer), and for the second account with
    one key (each would close the other's positions).
    """
    with transaction.atomic():
        # Nothing is armed, and no other account is switched, meanwhile.
        list(Account.objects.select_for_update(no_key=True).order_by("pk"))
        twin = account.twin() if active else None
        if twin is not None:
            raise NotPossible(f"account {account} stays off: {twin} is on with the same key")
        if not active:
            _require_nothing_of_core(account, "stays on")
        changed = Account.objects.filter(pk=account.pk, active=not active).update(active=active)
        if changed:
            kind = EventKind.ACCOUNT_SWITCHED_ON if active else EventKind.ACCOUNT_SWITCHED_OFF
            _announce(kind, account, reason, by)
    account.active = active
    return bool(changed)


def _require_nothing_of_core(account: Account, else_it: str) -> None:
    managed = queries.managed_positions(account)
    if managed:
        named = ", ".join(f"{one.slot} is {one.state} (position {one.pk})" for one in managed)
        raise NotPossible(f"account {account} {else_it}: {named}; close or disarm first")


def hand_over(intents: Iterable[OrderIntent]) -> HandOver:
    """Put committed intents into the exits queue. Call it outside a transaction.

    One refusal is enough: asking a broker that hangs takes time that exits have not got.
    """
    queued: list[int] = []
    for number, intent in enumerate(waiting := list(intents)):
        try:
            execute_intent.apply_async((intent.pk,))
            queued.append(intent.pk)
        except BROKER_ERRORS as error:
            log.error("%s: the broker is away (%s)", intent, error)
            return HandOver(tuple(queued), tuple(left.pk for left in waiting[number:]))
    return HandOver(tuple(queued), ())


def hand_over_on_commit(intents: Iterable[OrderIntent]) -> None:
    """The same once the caller's transaction is committed; what cannot be queued is left to the sweep."""
    transaction.on_commit(partial(hand_over, list(intents)))


def execute_here(intent: OrderIntent) -> None:
    """Work on one intent in this process. Harmless beside a worker that does the same."""
    execution.execute(intent.pk, gateway.desk_for(intent.slot.account))


def _announce(kind: EventKind, account: Account, reason: str, by: str, **more: Any) -> None:
    about = {"account": account.name, "reason": reason, "by": by, **more}
    journal.append(kind, None, at=gateway.utc_now(), **about)


def _text(value: object) -> str:
    return to_wire(value) if isinstance(value, Decimal) else str(value)


def _instead(position: Position) -> str:
    if position.state == PositionState.ARMED:
        return f"nothing is open yet; `robson disarm {position.pk}` takes it back"
    if position.state == PositionState.ENTERING:
        return "its entry order is under way; close it once it is active"
    if position.state == PositionState.EXITING:
        return "its exit is under way already"
    return "there is nothing left to close"
