"""Amounts in templates as people write them: Django's own filters would go through floating point."""

from decimal import Decimal

from django import template

from trading.domain.rounding import to_wire

register = template.Library()


@register.filter
def amount(value: Decimal | None) -> str:
    """Fixed-point text, at most eight digits after the point, without trailing zeros."""
    return "" if value is None else to_wire(round(value, 8))
