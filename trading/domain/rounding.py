"""Alignment of quantities and prices to the exchange's steps, and their spelling on the wire."""

from decimal import Decimal

from trading.domain.types import Side, SymbolRules


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`; a step of 0 leaves it unchanged.

    Raises ValueError for NaN, an infinity or a negative step.
    """
    quotient, remainder = _divided(value, step)
    if remainder < 0:
        quotient -= 1
    return quotient * step if step else value


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`; a step of 0 leaves it unchanged.

    Raises ValueError for NaN, an infinity or a negative step.
    """
    quotient, remainder = _divided(value, step)
    if remainder > 0:
        quotient += 1
    return quotient * step if step else value


def align_stop(side: Side, stop: Decimal, tick_size: Decimal) -> Decimal:
    """A stop price (quote currency) moved to the tick away from the position: long down, short up.

    Raises ValueError if nothing above zero is left, because a stop at zero would never be touched.
    """
    aligned = floor_to_step(stop, tick_size) if side is Side.LONG else ceil_to_step(stop, tick_size)
    if aligned <= 0:
        raise ValueError(f"stop {stop} is not above zero once aligned to the tick {tick_size}")
    return aligned


def market_step(rules: SymbolRules) -> Decimal:
    """The step that a market order's quantity must keep, in base currency; 0 when both filters are off.

    Steps are powers of ten on Binance, so the coarser of the two satisfies both.
    """
    return max(rules.lot_step, rules.market_lot_step)


def floor_market_quantity(quantity: Decimal, rules: SymbolRules) -> Decimal:
    """A quantity (base currency) as a market order may carry it: never above what was asked for."""
    return floor_to_step(quantity, market_step(rules))


def to_wire(value: Decimal) -> str:
    """Fixed-point text without trailing zeros, never an exponent: Binance refuses `1e-05` with -1100.

    Raises ValueError for NaN or an infinity.
    """
    _require_finite(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def people(value: Decimal | None) -> str:
    """A number in a line for people: up to 8 decimals, no trailing zeros; `unknown` for none."""
    return "unknown" if value is None else to_wire(round(value, 8))


def _divided(value: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    _require_finite(value)
    _require_finite(step)
    if step < 0:
        raise ValueError(f"a step cannot be negative: {step}")
    return divmod(value, step) if step else (value, Decimal(0))


def _require_finite(value: Decimal) -> None:
    if not value.is_finite():
        raise ValueError(f"not a finite number: {value}")
