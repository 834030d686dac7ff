"""Orders, fills and the event log, to be read."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trading.admin.readonly import ReadOnlyAdmin, TabularInline, amount, moment, state
from trading.domain.events import EventKind
from trading.models import Event, Fill, OrderAttempt, OrderIntent


class AreaFilter(admin.SimpleListFilter):
    """By what events are about, from the list that the code knows: asking the table would read all of it."""

    title = "what it is about"
    parameter_name = "about"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        areas = dict.fromkeys(kind.partition(".")[0] for kind in EventKind)
        return [(area, area) for area in areas]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if not self.value():
            return queryset
        return queryset.filter(kind__in=[kind for kind in EventKind if kind.startswith(f"{self.value()}.")])


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = (
        "time", "kind", "slot", "account", "position_link", "intent_link", "guard_id", "what", "source",
    )  # fmt: skip
    ordering = ("-id",)
    list_select_related = ("slot__account",)
    list_filter = (AreaFilter, "slot__account", "at")
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    fields = ("time", "kind", "slot", "account", "position_link", "intent_link", "guard_id", "what", "source")
    readonly_fields = fields
    time = moment("at", "time (UTC)")

    @admin.display(description="account")
    def account(self, event: Event) -> str:
        return str(event.slot.account) if event.slot else str(event.data.get("account", ""))

    @admin.display(description="position", ordering="position_id")
    def position_link(self, event: Event) -> str:
        return link("position", event.position_id)

    @admin.display(description="order", ordering="intent_id")
    def intent_link(self, event: Event) -> str:
        return link("orderintent", event.intent_id)

    @admin.display(description="data")
    def what(self, event: Event) -> SafeString:
        return format_html('<span class="data-of-event">{}</span>', summary(event.data))


class AttemptInline(TabularInline):
    model = OrderAttempt
    extra = 0
    can_delete = False
    show_change_link = False
    ordering = ("number",)
    fields = ("number", "client_order_id", "status", "sent", "order_id", "error_code", "error", "answered_at")
    readonly_fields = fields
    sent = amount("quantity", "quantity sent")

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False


@admin.register(OrderIntent)
class OrderIntentAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "slot", "account", "purpose", "owner", "state_badge", "reason", "to_trade", "traded", "price",
        "attempts_made", "created", "last_error",
    )  # fmt: skip
    list_select_related = ("slot__account",)
    list_filter = ("state", "purpose", "owner", "slot__account", "created_at")
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    inlines = (AttemptInline,)
    fieldsets = (
        (None, {"fields": ("slot", "account", "purpose", "owner", "state_badge", "reason", "position_link")}),
        ("Trade", {"fields": ("order_side", "to_trade", "traded", "price", "trigger")}),
        (
            "Execution",
            {"fields": ("attempts_made", "refusals", "lease_holder", "lease_until", "next_attempt_at")},
        ),
        ("Time", {"fields": ("created_at", "settled_at", "last_error", "guard_id")}),
    )
    readonly_fields = ("account", "state_badge", "position_link", "to_trade", "traded", "price", "trigger")
    state_badge = state()
    created = moment("created_at", "created (UTC)")
    to_trade = amount("quantity")
    traded = amount("executed_quantity", "executed")
    trigger = amount("trigger_price")

    @admin.display(description="average price")
    def price(self, intent: OrderIntent) -> str:
        return "" if intent.average_price is None else f"{intent.average_price:.8f}".rstrip("0").rstrip(".")

    @admin.display(description="account", ordering="slot__account")
    def account(self, intent: OrderIntent) -> str:
        return str(intent.slot.account)

    @admin.display(description="position")
    def position_link(self, intent: OrderIntent) -> str:
        return link("position", intent.position_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderIntent]:
        found: QuerySet[OrderIntent] = super().get_queryset(request)
        return found.select_related("slot__account")


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    list_display = (
        "time",
        "slot",
        "account",
        "trade",
        "paid",
        "commission_paid",
        "commission_asset",
        "trade_id",
    )
    list_select_related = ("slot__account",)
    list_filter = ("slot__account", "traded_at")
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    time = moment("traded_at", "time (UTC)")
    trade = amount("quantity")
    paid = amount("price")
    commission_paid = amount("commission")

    @admin.display(description="account", ordering="slot__account")
    def account(self, fill: Fill) -> str:
        return str(fill.slot.account)


def link(model: str, pk: int | None) -> str:
    """The number of a row, leading to its page."""
    if pk is None:
        return ""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:trading_{model}_change", args=[pk]), pk)


def summary(data: dict[str, Any]) -> str:
    """An event's data on one line."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in data.items()
    )
