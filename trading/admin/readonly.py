"""Pages that can only be read, on tables that may have millions of rows."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.domain.rounding import to_wire

MOST_COUNTED = 10_000

Column = Callable[[Any, Any], str]

# Django's classes take type parameters from their stubs only.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    _Paginator = Paginator[Any]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    _Paginator = Paginator


class CappedPaginator(_Paginator):
    """Counts no further than MOST_COUNTED rows: an exact count of a long log would read all of it."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[:MOST_COUNTED].count())


class ReadOnlyAdmin(ModelAdmin):
    """What happened is read here. Nothing is added, changed or deleted, one by one or in bulk."""

    paginator = CappedPaginator
    show_full_result_count = False
    # Counting each filter would read whole tables.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    class Media:
        css = {"all": ["trading/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = str(self.model._meta.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False


def amount(field: str, label: str = "") -> Column:
    """A column with a price, quantity or amount as people write it, empty where there is none."""

    @admin.display(description=label or field.replace("_", " "), ordering=field, empty_value="")
    def show(_admin: Any, row: Any) -> str:
        value: Decimal | None = getattr(row, field)
        return "" if value is None else to_wire(round(value, 8))

    return show


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


def state(field: str = "state") -> Column:
    """A column with a coloured state."""

    @admin.display(description=field, ordering=field)
    def show(_admin: Any, row: Any) -> SafeString:
        return badge(getattr(row, field))

    return show


def badge(name: str) -> SafeString:
    """A state with a colour of its own (see admin.css)."""
    return format_html('<span class="state state-{0}">{0}</span>', name)
