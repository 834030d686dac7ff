"""How much an exit may trade: its owner's part, and never more than the exchange really holds."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from trading.domain.episodes import INTEREST_SHARE
from trading.domain.rounding import ceil_to_step, floor_market_quantity, market_step
from trading.domain.types import MarginPair, Side, SymbolRules

ZERO = Decimal(0)
# A market order costs a little more than the last price.
MARKET_MARGIN = Decimal("1.005")


class Verdict(StrEnum):
    SEND = "send"
    FLAT = "flat"
    DUST = "dust"
    LOCKED = "locked"
    """What it takes is there, but a resting order of the owner's holds it."""


@dataclass(frozen=True, slots=True)
class ExitPlan:
    verdict: Verdict
    quantity: Decimal = ZERO
    """Base currency, on the lot step; 0 unless the verdict is SEND."""
    left: Decimal = ZERO
    """What the owner's part still amounts to, in base currency."""


def plan_exit(
    side: Side,
    remaining: Decimal,
    pair: MarginPair,
    rules: SymbolRules,
    *,
    price: Decimal,
    fee_rate: Decimal,
    whole: Decimal = ZERO,
    within_quote: bool = False,
) -> ExitPlan:
    """Plan the next market order of an exit that still has `remaining` (base) of its own to close.

    `price` (quote currency) judges the minimum notional. A long sells what is free; a short buys what is
    owed, plus the fee that the exchange keeps in base currency. Once a part is bought back, the interest paid
    with it cannot be seen any more: then `whole` (base) is what the exit began with, and a debt larger than
    `remaining` by less than a hundredth of that is taken to have grown by interest. `within_quote`: a short
    buys no more than the free quote currency pays for at `price`, and the rest later.
    """
    if side is Side.LONG:
        return _plan_long(remaining, pair, rules, price)
    planned = _plan_short(_owed(remaining, whole, pair, rules), rules, price, fee_rate)
    return _within_quote(planned, pair, rules, price) if within_quote else planned


def resend_is_harmless(side: Side, remaining: Decimal, pair: MarginPair, rules: SymbolRules) -> bool:
    """Whether a second market order cannot sell anybody's coins, even if the first one is still executed.

    True for a long whose base coins are all the exit's own: the exchange refuses to sell what is not there.
    They must all be there, for otherwise something was executed that has to be found first.
    """
    return side is Side.LONG and abs(pair.base.net - remaining) <= rules.lot_step


def _plan_long(remaining: Decimal, pair: MarginPair, rules: SymbolRules, price: Decimal) -> ExitPlan:
    held = min(remaining, pair.base.total)
    if held < market_step(rules) or held <= 0:
        return ExitPlan(Verdict.FLAT, left=held)
    quantity = floor_market_quantity(min(held, pair.base.free), rules)
    if _sendable(quantity, rules, price):
        return ExitPlan(Verdict.SEND, min(quantity, _most(rules)), held)
    if pair.base.locked > 0 and _sendable(floor_market_quantity(held, rules), rules, price):
        return ExitPlan(Verdict.LOCKED, left=held)
    return ExitPlan(Verdict.DUST, left=held)


def _owed(remaining: Decimal, whole: Decimal, pair: MarginPair, rules: SymbolRules) -> Decimal:
    """The part of the debt that a short has to buy back, in base currency."""
    debt = max(-pair.base.net, ZERO)
    # Interest makes the debt a little larger than what was sold: the last one out repays it all.
    grown = max(market_step(rules) + pair.base.interest, whole * INTEREST_SHARE)
    return debt if debt - remaining < grown else min(remaining, debt)


def _plan_short(owed: Decimal, rules: SymbolRules, price: Decimal, fee_rate: Decimal) -> ExitPlan:
    if owed <= 0:
        return ExitPlan(Verdict.FLAT)
    quantity = ceil_to_step(owed / (1 - fee_rate), market_step(rules))
    if _sendable(quantity, rules, price):
        return ExitPlan(Verdict.SEND, min(quantity, _most(rules)), owed)
    return ExitPlan(Verdict.DUST, left=owed)


def _within_quote(planned: ExitPlan, pair: MarginPair, rules: SymbolRules, price: Decimal) -> ExitPlan:
    """As much of a purchase as can be paid. If that is too little to send, what an order holds is waited for;
    if none does, only the exchange can tell: the whole is sent.
    """
    free = pair.quote.free
    paid = floor_market_quantity(free / (price * MARKET_MARGIN), rules)
    if planned.verdict is not Verdict.SEND or planned.quantity <= paid:
        return planned
    # What is left should be an order too: dust would stay owed.
    for quantity in (min(paid, planned.quantity - _least(rules, price)), paid):
        if _sendable(quantity, rules, price):
            return replace(planned, quantity=quantity)
    if pair.quote.locked > 0 and planned.quantity * price > free:
        return ExitPlan(Verdict.LOCKED, left=planned.left)
    return planned


def _sendable(quantity: Decimal, rules: SymbolRules, price: Decimal) -> bool:
    return quantity > 0 and quantity >= rules.min_quantity and quantity * price >= rules.min_notional


def _least(rules: SymbolRules, price: Decimal) -> Decimal:
    """The smallest order that can be sent, also at a slightly lower price than `price`."""
    least = max(rules.min_quantity, rules.min_notional * MARKET_MARGIN / price)
    return ceil_to_step(least, market_step(rules))


def _most(rules: SymbolRules) -> Decimal:
    limits = [limit for limit in (rules.max_quantity, rules.market_max_quantity) if limit > 0]
    return floor_market_quantity(min(limits), rules) if limits else Decimal("Infinity")
