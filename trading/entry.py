"""Entering: the slot must be empty on the exchange, the intent is committed, then one order goes out."""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from trading import execution, journal, queries, recording
from trading.domain.crossover import Signal
from trading.domain.episodes import derive_episode
from trading.domain.lifecycle import OWNED_STATES, PositionState
from trading.domain.sizing import position_size
from trading.domain.stops import StopKind, StopPolicy, stop_distance
from trading.domain.types import MarginPair, Side, SymbolRules
from trading.exchange.port import Exchange
from trading.execution import Desk, Terms
from trading.models import Account, OrderAttempt, Position, Slot
from trading.models.intent import AttemptStatus, Owner, Purpose

log = logging.getLogger(__name__)

MAY_STILL_ARRIVE = Q(status=AttemptStatus.UNKNOWN) | Q(
    status=AttemptStatus.NOT_EXECUTED, error=recording.NEVER_ACCEPTED
)


class EntryRefused(Exception):
    """The position may not be entered; the text says why."""


def enter(*, position: Position, signal: Signal, desk: Desk) -> bool:
    """Act on a crossover: size the position, commit Entering, send the order. A replayed signal does nothing.

    True when an order was sent. A refusal cancels the armed position, since its signal is spent, and says why
    in its events. Raises ExchangeError while the exchange cannot be asked: nothing is changed then.
    """
    try:
        quantity, distance = _terms(position, desk.exchange)
        attempt = _commit(position, signal, quantity, distance, desk)
    except (EntryRefused, ValueError, execution.SlotBusy) as refusal:
        give_up(position, f"entry refused: {refusal}", desk.clock())
        return False
    if attempt is None:
        return False
    execution.run_attempt(attempt, desk)
    execution.execute(attempt.intent_id, desk)
    return True


def _terms(position: Position, exchange: Exchange) -> tuple[Decimal, Decimal]:
    """Quantity (base) and stop distance (quote) at the present price. Raises EntryRefused or ValueError."""
    slot = position.slot
    rules = exchange.symbol_rules(slot.symbol)
    price = exchange.price(slot.symbol).price
    _require_empty(slot, exchange, rules, price)
    policy = StopPolicy(StopKind(position.stop_kind), position.stop_value)
    needed = policy.candles_needed * 4
    candles = exchange.candles(slot.symbol, position.interval, limit=needed) if needed else ()
    distance = stop_distance(policy, price, candles)
    quantity = position_size(
        side=slot.position_side,
        capital=position.capital,
        risk=position.risk_percent / 100,
        entry=price,
        distance=distance,
        fee_rate=settings.FEE_RATE,
        rules=rules,
    )
    return quantity, distance


def _require_empty(slot: Slot, exchange: Exchange, rules: SymbolRules, price: Decimal) -> None:
    """No position, debt or open order in the pair: whatever is there would be mixed up with Core's.

    A debt worth less than one lot is no debt: interest left by an order that was not filled cannot be bought
    back, and must not shut out every later entry.
    """
    pair = exchange.margin_pairs([slot.symbol]).get(slot.symbol)
    if pair is None:
        return
    if pair.base.debt >= rules.lot_step or pair.quote.debt >= rules.lot_step * price:
        raise EntryRefused(
            f"the pair owes {pair.base.debt} {pair.base.asset} and {pair.quote.debt} {pair.quote.asset}"
        )
    if pair.base.total >= rules.lot_step:
        if slot.position_side is Side.SHORT:
            raise EntryRefused(
                f"the pair holds {pair.base.total} {pair.base.asset} of the owner's: a short would sell "
                "these instead of borrowing"
            )
        if _is_a_position(slot, pair, exchange, rules, price):
            raise EntryRefused(
                f"there is already a position of {pair.base.net} {pair.base.asset} on the exchange"
            )
    if exchange.open_orders(slot.symbol):
        raise EntryRefused(f"there are open orders in {slot.symbol} on the exchange")


def _is_a_position(
    slot: Slot, pair: MarginPair, exchange: Exchange, rules: SymbolRules, price: Decimal
) -> bool:
    """Whether trades tell that coins in the pair are a position: those of the last day, or else all of them.

    The Safety Net goes by either, and guards what it finds. In all of them, though, what Robson's own exits
    have left in the course of time adds up: less than a lot each.
    """
    if derive_episode(exchange.trades(slot.symbol), pair, rules, price=price):
        return True
    episode = derive_episode(exchange.trades(slot.symbol, from_id=0), pair, rules, price=price)
    return episode is not None and episode.quantity > rules.lot_step * queries.exits_settled(slot)


def _commit(
    position: Position, signal: Signal, quantity: Decimal, distance: Decimal, desk: Desk
) -> OrderAttempt | None:
    """Commit Entering and its order intent before anything is sent; None for a replayed signal."""
    if position.state != PositionState.ARMED:
        return None
    with journal.atomic(position):
        slot = _lock_vacant(position.slot, desk.exchange.now_ms())
        entering = journal.advance(
            position,
            PositionState.ENTERING,
            at=desk.clock(),
            data={"signal": signal.id, "fast": signal.fast, "slow": signal.slow, "price": signal.price},
            signal_id=signal.id,
            distance=distance,
        )
        if not entering:
            return None
        terms = Terms(
            purpose=Purpose.ENTRY,
            owner=Owner.CORE,
            quantity=quantity,
            reason="crossover",
            position=position,
            trigger_price=signal.price,
        )
        return execution.claim_and_begin(slot, terms, desk=desk)


def _lock_vacant(slot: Slot, now_ms: int) -> Slot:
    """Lock the slot and what shares its pair, in which nothing of ours may be under way. Raises EntryRefused.

    Long and short of one symbol share the pair and its balances: two crossovers at once must not both find
    it empty. The account comes first, so that a panic either stops this entry or sees it.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=slot.account_id)
    if not account.active:
        raise EntryRefused(f"the account {account} is switched off")
    if account.entries_paused:
        raise EntryRefused(f"entries are paused on the account {account}")
    locked = Slot.objects.select_for_update(of=("self",)).select_related("account").order_by("id")
    sides = list(locked.filter(account=account, venue=slot.venue, symbol=slot.symbol))
    for side in sides:
        if queries.live_exit(side):
            raise EntryRefused(f"an exit is under way in {side}")
        if Position.objects.filter(slot=side, state__in=OWNED_STATES).exists():
            raise EntryRefused(f"Core already has a position in {side}")
    _require_no_late_order(sides, now_ms)
    return next(side for side in sides if side.pk == slot.pk)


def _require_no_late_order(sides: Sequence[Slot], now_ms: int) -> None:
    """An order that could not be found may still arrive inside its window: it would trade a new position."""
    window_ms = settings.ORDER_RECV_WINDOW_MS + settings.BACKEND_TIMEOUT_MS
    late = OrderAttempt.objects.filter(intent__slot__in=sides, timestamp_ms__gte=now_ms - window_ms)
    if late.filter(MAY_STILL_ARRIVE).exists():
        raise EntryRefused("an order of this pair that could not be found may still reach the exchange")


def give_up(position: Position, why: str, at: datetime) -> None:
    """The signal is spent: an armed position that could not be entered is cancelled, with the reason."""
    position.refresh_from_db()
    if position.state == PositionState.ARMED:
        journal.advance(
            position, PositionState.CANCELLED, at=at, data={"reason": why}, note=why[:255], closed_at=at
        )
        log.warning("%s: %s", position, why)
