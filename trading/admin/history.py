"""Orders, fills and the event log, to be read."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from trading.admin.columns import amount, link, moment, span, state
from trading.admin.filters import TimeFilter
from trading.admin.readonly import ReadOnlyAdmin, TabularInline
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


class KindFilter(admin.SimpleListFilter):
    """By one kind of event, offered once an area is chosen: all kinds together are a long list."""

    title = "what happened"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, *_: Any) -> list[tuple[str, str]]:
        area = request.GET.get("about") or (self.value() or "").partition(".")[0]
        return [(kind, kind) for kind in EventKind if kind.startswith(f"{area}.")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = (
        "time", "kind", "slot", "account", "position_link", "intent_link", "guard_link", "what", "source",
    )  # fmt: skip
    # Nothing else has an index: to sort by it would read a million rows.
    sortable_by = ("time",)
    ordering = ("-id",)
    list_select_related = ("slot__account",)
    list_filter = (AreaFilter, KindFilter, "slot__account", ("at", TimeFilter))
    list_filter_submit = True
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    fields = (
        "time",
        "kind",
        "slot",
        "account",
        "position_link",
        "intent_link",
        "guard_link",
        "what",
        "source",
    )
    readonly_fields = fields
    time = moment("at", "time (UTC)")

    @admin.display(description="account")
    def account(self, event: Event) -> str:
        return str(event.slot.account) if event.slot else str(event.data.get("account", ""))

    @admin.display(description="position", empty_value="")
    def position_link(self, event: Event) -> str:
        return link("trading_position", event.position_id)

    @admin.display(description="order", empty_value="")
    def intent_link(self, event: Event) -> str:
        return link("trading_orderintent", event.intent_id)

    @admin.display(description="guard", empty_value="")
    def guard_link(self, event: Event) -> str:
        return link("safetynet_guardedposition", event.guard_id)

    @admin.display(description="data")
    def what(self, event: Event) -> SafeString:
        return span("data-of-event", summary(event.data))


class AttemptInline(TabularInline):
    model = OrderAttempt
    extra = 0
    can_delete = False
    show_change_link = False
    ordering = ("number",)
    fields = ("number", "client_order_id", "status", "sent", "order_id", "error_code", "error", "answered")
    readonly_fields = fields
    sent = amount("quantity", "quantity sent")
    answered = moment("answered_at", "answered (UTC)")

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False


@admin.register(OrderIntent)
class OrderIntentAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "slot", "account", "purpose", "owner", "state_badge", "reason", "to_trade", "traded", "price",
        "attempts_made", "created", "settled", "last_error",
    )  # fmt: skip
    list_select_related = ("slot__account",)
    list_filter = ("state", "purpose", "owner", "slot__account", ("created_at", TimeFilter))
    list_filter_submit = True
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    sortable_by = ("id",)
    inlines = (AttemptInline,)
    fieldsets = (
        (None, {"fields": ("slot", "account", "purpose", "owner", "state_badge", "reason", "position_link")}),
        ("Trade", {"fields": ("order_side", "to_trade", "traded", "price", "trigger")}),
        (
            "Execution",
            {"fields": ("attempts_made", "refusals", "lease_holder", "leased", "next_try")},
        ),
        ("Time", {"fields": ("created", "settled", "last_error", "guard_link")}),
    )
    readonly_fields = (
        "account", "state_badge", "position_link", "to_trade", "traded", "price", "trigger", "guard_link",
        "created", "settled", "leased", "next_try",
    )  # fmt: skip
    state_badge = state()
    created = moment("created_at", "created (UTC)")
    settled = moment("settled_at", "settled (UTC)")
    leased = moment("lease_until", "lease until (UTC)")
    next_try = moment("next_attempt_at", "next attempt (UTC)")
    to_trade = amount("quantity")
    traded = amount("executed_quantity", "executed")
    trigger = amount("trigger_price")
    price = amount("average_price")

    @admin.display(description="account")
    def account(self, intent: OrderIntent) -> str:
        return str(intent.slot.account)

    @admin.display(description="position")
    def position_link(self, intent: OrderIntent) -> str:
        return link("trading_position", intent.position_id)

    @admin.display(description="guard")
    def guard_link(self, intent: OrderIntent) -> str:
        return link("safetynet_guardedposition", intent.guard_id)

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
    list_filter = ("slot__account", ("traded_at", TimeFilter))
    list_filter_submit = True
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    ordering = ("-id",)
    sortable_by = ()
    time = moment("traded_at", "time (UTC)")
    trade = amount("quantity")
    paid = amount("price")
    commission_paid = amount("commission")

    @admin.display(description="account")
    def account(self, fill: Fill) -> str:
        return str(fill.slot.account)


def summary(data: dict[str, Any]) -> str:
    """An event's data on one line."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in data.items()
    )
