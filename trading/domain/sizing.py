"""How much to buy or sell, so that the stop costs no more than the owner put at risk."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal, localcontext

from trading.domain.rounding import ceil_to_step, floor_market_quantity, market_step, to_wire
from trading.domain.types import Side, SymbolRules

CAPITAL_STEP = Decimal("0.01")
RISK_STEP = Decimal("0.0001")


class TooSmall(ValueError):
    """The quantity would be below the exchange's minimum.

    `capital_needed` (quote currency) is enough at the same risk; `risk_needed` (a share) is enough at the
    same capital, and None when no risk would be, since the capital itself is below the minimum.
    """

    def __init__(self, message: str, *, capital_needed: Decimal, risk_needed: Decimal | None) -> None:
        super().__init__(message)
        self.capital_needed = capital_needed
        self.risk_needed = risk_needed


@dataclass(frozen=True, slots=True)
class _Sizing:
    side: Side
    capital: Decimal
    risk: Decimal
    entry: Decimal
    distance: Decimal
    fee_rate: Decimal
    rules: SymbolRules

    def __post_init__(self) -> None:
        if self.capital <= 0 or self.entry <= 0:
            raise ValueError("capital and entry price must be above zero")
        if not 0 < self.risk <= 1:
            raise ValueError(f"risk is a share of the capital between 0 and 1, not {self.risk}")
        if not 0 < self.distance < self.entry:
            raise ValueError(f"the stop distance must lie between 0 and the entry price, not {self.distance}")
        if not 0 <= self.fee_rate < 1:
            raise ValueError(f"the fee rate is a share between 0 and 1, not {self.fee_rate}")

    @property
    def stop(self) -> Decimal:
        return self.entry - self.distance if self.side is Side.LONG else self.entry + self.distance

    @property
    def loss_per_unit(self) -> Decimal:
        with localcontext(rounding=ROUND_UP):
            return self.distance + self.fee_rate * (self.entry + self.stop)

    @property
    def wanted(self) -> Decimal:
        """What risk and capital allow and one order can carry, before any rounding."""
        with localcontext(rounding=ROUND_DOWN):
            by_risk = self.capital * self.risk / self.loss_per_unit
            by_capital = self.capital / self.entry
        limits = (self.rules.max_quantity, self.rules.market_max_quantity)
        return min(by_risk, by_capital, *(limit for limit in limits if limit))

    @property
    def needed(self) -> Decimal:
        """The smallest quantity that the exchange takes at the entry and again at the stop.

        A long pays its entry fee out of what it bought, so that less is left to sell.
        """
        step = market_step(self.rules)
        kept = 1 - self.fee_rate if self.side is Side.LONG else Decimal(1)
        with localcontext(rounding=ROUND_UP):
            by_notional = self.rules.min_notional / min(self.entry, self.stop)
            to_exit = ceil_to_step(max(self.rules.min_quantity, by_notional), step)
            return ceil_to_step(to_exit / kept, step)


def position_size(
    *,
    side: Side,
    capital: Decimal,
    risk: Decimal,
    entry: Decimal,
    distance: Decimal,
    fee_rate: Decimal,
    rules: SymbolRules,
) -> Decimal:
    """The quantity to enter with, in base currency: capital x risk / loss per unit.

    The loss per unit is the stop distance plus the fee on the entry and on the exit at the stop. The
    quantity is capped by the capital (no leverage) and by what one market order may carry, and floored to
    the lot step. `risk` and `fee_rate` are shares (0.01 is 1 %), `capital` is in quote currency.

    Raises TooSmall, saying what to raise, when the result is below the minimum quantity, or below the
    minimum notional at the stop's price, where it could not be sold again; ValueError for nonsense.
    """
    sizing = _Sizing(side, capital, risk, entry, distance, fee_rate, rules)
    quantity = floor_market_quantity(sizing.wanted, rules)
    if quantity < sizing.needed:
        raise _too_small(sizing, quantity)
    return quantity


def _too_small(sizing: _Sizing, quantity: Decimal) -> TooSmall:
    needed, rules = sizing.needed, sizing.rules
    with localcontext(rounding=ROUND_UP):
        by_risk = needed * sizing.loss_per_unit / sizing.risk
        capital = ceil_to_step(max(by_risk, needed * sizing.entry), CAPITAL_STEP)
        risk = ceil_to_step(needed * sizing.loss_per_unit / sizing.capital, RISK_STEP)
    affordable = needed * sizing.entry <= sizing.capital and risk <= 1
    advice = f"raise the capital from {to_wire(sizing.capital)} to {to_wire(capital)} {rules.quote_asset}"
    if affordable:
        advice += f", or the risk from {_percent(sizing.risk)} to {_percent(risk)}"
    message = (
        f"{to_wire(quantity)} {rules.base_asset} is too small: {rules.symbol} needs at least "
        f"{to_wire(needed)}, so that it can be closed at the stop price {to_wire(round(sizing.stop, 8))} "
        f"(minimum quantity {to_wire(rules.min_quantity)}, minimum notional {to_wire(rules.min_notional)} "
        f"{rules.quote_asset})"
    )
    return TooSmall(f"{message}; {advice}", capital_needed=capital, risk_needed=risk if affordable else None)


def _percent(share: Decimal) -> str:
    return f"{to_wire(share * 100)} %"
