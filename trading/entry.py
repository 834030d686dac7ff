"""Entering: the slot must be empty on the exchange, the intent is committed, then one order goes out."""

import logging
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from trading import execution, journal, queries
from trading.domain.crossover import Signal
from trading.domain.episodes import derive_episode
from trading.domain.lifecycle import PositionState
from trading.domain.sizing import position_size
from trading.domain.stops import StopKind, StopPolicy, stop_distance
from trading.domain.types import Side, SymbolRules
from trading.exchange.port import Exchange
from trading.execution import Desk, Terms
from trading.models import OrderAttempt, Position, Slot
from trading.models.intent import Owner, Purpose

log = logging.getLogger(__name__)


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
    if pair.base.total >= rules.lot_step and derive_episode(
        exchange.trades(slot.symbol), pair, rules, price=price
    ):
        raise EntryRefused(
            f"there is already a position of {pair.base.net} {pair.base.asset} on the exchange"
        )
    if slot.position_side is Side.SHORT and pair.base.total >= rules.lot_step:
        raise EntryRefused(
            f"the pair holds {pair.base.total} {pair.base.asset} of the owner's: a short would sell these "
            "instead of borrowing"
        )
    if exchange.open_orders(slot.symbol):
        raise EntryRefused(f"there are open orders in {slot.symbol} on the exchange")


def _commit(
    position: Position, signal: Signal, quantity: Decimal, distance: Decimal, desk: Desk
) -> OrderAttempt | None:
    """Commit Entering and its order intent before anything is sent; None for a replayed signal."""
    at = desk.clock()
    if position.state != PositionState.ARMED:
        return None
    with journal.atomic(position):
        slot = execution.lock_slot(position.slot_id)
        if slot.account.entries_paused:
            raise EntryRefused(f"entries are paused on the account {slot.account}")
        if queries.live_exit(slot):
            raise EntryRefused(f"an exit is under way in {slot}")
        entering = journal.advance(
            position,
            PositionState.ENTERING,
            at=at,
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


def give_up(position: Position, why: str, at: datetime) -> None:
    """The signal is spent: an armed position that could not be entered is cancelled, with the reason."""
    position.refresh_from_db()
    if position.state == PositionState.ARMED:
        journal.advance(
            position, PositionState.CANCELLED, at=at, data={"reason": why}, note=why[:255], closed_at=at
        )
        log.warning("%s: %s", position, why)
