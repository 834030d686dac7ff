"""What an exit has left to trade: by its owner's part, the recorded fills and the exchange's balances."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from trading import fills, parts, queries
from trading.domain.exits import ExitPlan, Verdict, plan_exit
from trading.domain.reconcile import are_its_own
from trading.domain.rounding import people
from trading.domain.types import MarginPair, OrderReport, OrderSide, Side, SymbolRules, Venue
from trading.exchange.calls import whole_budget
from trading.exchange.errors import BadAnswer, ExchangeError
from trading.exchange.port import Exchange
from trading.models import OrderIntent, Slot
from trading.models.intent import Owner

log = logging.getLogger(__name__)

ZERO = Decimal(0)
ABOVE_ANY_PRICE = Decimal(10) ** 15

PairReader = Callable[[], MarginPair]

EARLY_READ_LASTS = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class EarlyRead:
    """A reading of the pair that `began` beside the claim. It may raise ExchangeError, as any other.

    A claim can wait for its slot for seconds, and what the owner trades by hand meanwhile is not in it.
    """

    pair: PairReader
    began: datetime

    def still_holds(self, now: datetime) -> bool:
        return timedelta(0) <= now - self.began <= EARLY_READ_LASTS


@whole_budget()
def pair_of(exchange: Exchange, symbol: str) -> MarginPair:
    """The balances of one pair, for an exit.

    Raises BadAnswer if the answer leaves it out: that does not mean flat.
    """
    pair = exchange.margin_pairs([symbol]).get(symbol)
    if pair is None:
        raise BadAnswer(f"the account's answer leaves {symbol} out")
    return pair


def plan(
    intent: OrderIntent,
    exchange: Exchange,
    read_pair: PairReader | None = None,
    *,
    executed: OrderReport | None = None,
    alone: bool = False,
) -> ExitPlan:
    """The next order of an exit; `executed` is one of it that is not recorded yet. Raises ExchangeError."""
    symbol = intent.slot.symbol
    rules = exchange.symbol_rules(symbol)
    pair = read_pair() if read_pair else pair_of(exchange, symbol)
    # Before the second attempt nothing can be recorded yet: the first one does not wait for the answer.
    closed = fills.closed_quantity(intent, rules.base_asset) if intent.attempts_made > 1 else ZERO
    closed += fills.base_moved(executed, rules.base_asset) if executed else ZERO
    # Before the trades are asked for: should the exchange want no more calls then, the order needs none.
    price = _price(intent, exchange)
    remaining = intent.quantity - closed
    if intent.owner == Owner.SAFETY_NET and not alone:
        remaining = _beside_core(remaining, intent.slot, pair)
    if not are_its_own(intent.slot.position_side, remaining, pair, rules):
        own = _by_trades(intent, exchange, rules.base_asset, executed)
        remaining = remaining if own is None else min(remaining, own - closed)
    planned = plan_exit(
        intent.slot.position_side,
        remaining,
        pair,
        rules,
        price=price,
        fee_rate=settings.FEE_RATE,
        # A safety exit may stand beside Core's part, which must not be taken for its interest.
        whole=intent.quantity if closed and intent.owner != Owner.SAFETY_NET else ZERO,
        # If it was refused for want of money, the same order would be refused for ever.
        within_quote=bool(intent.refusals) and price < ABOVE_ANY_PRICE,
    )
    if planned.verdict is Verdict.FLAT:
        _look_for_debt(intent, pair, rules)
    return planned


def _look_for_debt(intent: OrderIntent, pair: MarginPair, rules: SymbolRules) -> None:
    """What was bought back repays the debt by itself, unless the exchange fails to: it goes on to cost."""
    if intent.order_side == OrderSide.BUY and pair.base.debt >= rules.lot_step:
        log.critical(
            "%s: it is flat, but %s %s are still owed beside coins that are there: repay them in the app",
            intent,
            people(pair.base.debt),
            pair.base.asset,
        )


def left_after(intent: OrderIntent, exchange: Exchange, report: OrderReport) -> ExitPlan:
    """What is left to do once `report` is recorded. Raises ExchangeError only before anything is concluded.

    A long that sold all of its own needs no second look; a short does, because its debt must be zero.
    """
    if not intent.is_exit:
        return ExitPlan(Verdict.FLAT)
    rules = exchange.symbol_rules(intent.slot.symbol)
    just_closed = fills.base_moved(report, rules.base_asset)
    left = intent.quantity - fills.closed_quantity(intent, rules.base_asset) - just_closed
    if intent.order_side == OrderSide.SELL and left < rules.lot_step:
        return ExitPlan(Verdict.FLAT, left=left)
    try:
        return plan(intent, exchange, executed=report)
    except ExchangeError:
        return ExitPlan(Verdict.SEND, left=left)


def _beside_core(remaining: Decimal, slot: Slot, pair: MarginPair) -> Decimal:
    """What a safety exit may still close (base): never Core's part, should the surplus be gone already."""
    side = slot.position_side
    core = queries.find_active_by_symbol_and_side(slot.account, slot.symbol, side, Venue(slot.venue))
    if core is None:
        return remaining
    held = pair.base.net if side is Side.LONG else -pair.base.net
    beside: Decimal = held - core.quantity
    return min(remaining, max(ZERO, beside))


def _by_trades(
    intent: OrderIntent, exchange: Exchange, base_asset: str, executed: OrderReport | None
) -> Decimal | None:
    """What sales by hand have left of the exit's part (base), None if that cannot be told now.

    A stop comes first: it does not wait for an answer that matters only where the owner has coins beside it.
    """
    part = parts.part_of(intent, base_asset)
    if part is None:
        return None
    if executed:
        part = replace(part, ours={*part.ours, executed.order_id})
    try:
        return parts.left(part, intent.slot.symbol, base_asset, exchange)
    except ExchangeError as error:
        log.warning("%s: going by the balances, since the trades cannot be read: %s", intent, error)
        return None


def _price(intent: OrderIntent, exchange: Exchange) -> Decimal:
    # After a refusal the price may have moved so far that only dust is left: ask. Before one, do not wait.
    known = intent.average_price or intent.trigger_price
    if known and not intent.refusals:
        return known
    try:
        return exchange.price(intent.slot.symbol).price
    except ExchangeError as error:
        # It would only tell dust, which the exchange refuses by itself.
        log.warning("%s: sent without a look at the price: %s", intent, error)
        return known or ABOVE_ANY_PRICE
