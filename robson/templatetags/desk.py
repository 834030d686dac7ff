"""Numbers and times as the desk's pages write them."""

from datetime import UTC, datetime
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def signed(value: Decimal | None) -> str:
    """An amount of money with its sign: gains and losses must not be told apart by colour alone."""
    if value is None:
        return ""
    # A true minus sign is as wide as the plus.
    return f"{value:+f}".replace("-", "\N{MINUS SIGN}")


@register.filter
def gain(value: Decimal | None) -> str:
    """The class of its colour."""
    return "" if not value else "gain" if value > 0 else "loss"


@register.filter
def ago(value: datetime | None) -> SafeString:
    """A time of today, which scripts complete with how long ago it is."""
    return _time(value, "%H:%M:%S", "ago")


@register.filter
def day(value: datetime | None) -> SafeString:
    """A day and a time."""
    return _time(value, "%Y-%m-%d %H:%M", "")


def _time(value: datetime | None, pattern: str, kind: str) -> SafeString:
    if value is None:
        return SafeString("")
    at = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" class="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        kind,
        at.strftime(pattern),
    )
