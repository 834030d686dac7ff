"""Columns and fields as people read them: amounts, times in UTC, coloured states, links."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from trading.domain.rounding import to_wire

Column = Callable[[Any, Any], Any]
Method = TypeVar("Method", bound=Column)

COLOURS = {
    "active": "success",
    "done": "success",
    "executed": "success",
    "guarding": "info",
    "armed": "info",
    "watched": "success",
    "allowed": "success",
    "in force": "warning",
    "on": "success",
    "paused": "warning",
    "switched off": "danger",
    "off": "danger",
    "entering": "warning",
    "exiting": "warning",
    "pending": "warning",
    "sending": "warning",
    "error": "danger",
    "unknown": "danger",
    "refused": "danger",
    "dust": "danger",
    "not_executed": "danger",
    "critical": "danger",
    "warning": "warning",
    "info": "info",
}
"""States by the colour of their label; those without one are over."""


def amount(field: str, label: str = "") -> Column:
    """A column with a price, quantity or amount as people write it, empty where there is none."""

    @admin.display(description=label or field.replace("_", " "), ordering=field, empty_value="")
    def show(_admin: Any, row: Any) -> str:
        return plain(getattr(row, field))

    return show


def plain(value: Decimal | None) -> str:
    """Fixed-point text without trailing zeros, at most eight digits after the point; empty for None."""
    return "" if value is None else to_wire(round(value, 8))


class PlainDecimalField(forms.DecimalField):
    """A number to be changed, shown without the zeros that the database fills it up with."""

    def prepare_value(self, value: Any) -> Any:
        return to_wire(value) if isinstance(value, Decimal) else value


def moment(field: str, label: str = "") -> Column:
    """A column with a time to the second, in UTC."""

    @admin.display(description=label or field.replace("_", " "), ordering=field, empty_value="")
    def show(_admin: Any, row: Any) -> str:
        value: datetime | None = getattr(row, field)
        if value is None:
            return ""
        return format_html('<span class="moment">{}</span>', f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}")

    return show


def label(description: str, ordering: str | None = None) -> Callable[[Method], Method]:
    """Show what a column's method says as a coloured label."""
    decorate: Callable[[Method], Method] = display(description=description, ordering=ordering, label=COLOURS)
    return decorate


def state(field: str = "state") -> Column:
    """A column with a coloured state."""

    def show(_admin: Any, row: Any) -> str:
        return str(getattr(row, field))

    return label(field, ordering=field)(show)


def link(page: str, pk: int | None) -> str:
    """The number of a row, leading to its page; `page` is app_model."""
    if pk is None:
        return ""
    return format_html('<a class="link" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), pk)


def span(css: str, text: str) -> SafeString:
    """Text in a class of admin.css."""
    return format_html('<span class="{}">{}</span>', css, text)
