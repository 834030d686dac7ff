"""Core positions: armed through a form, disarmed and closed through a question, otherwise only read."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from trading.admin import arm_page, verbs
from trading.admin.asking import Asking
from trading.admin.columns import amount, moment, plain, state
from trading.admin.history import summary
from trading.admin.readonly import Names, ReadOnlyAdmin
from trading.domain.lifecycle import OWNED_STATES, PositionState
from trading.models import Position

MOST_EVENTS = 100
STATES = {
    "armed": ("Armed", (PositionState.ARMED,)),
    "open": ("Open", OWNED_STATES),
    "error": ("In error", (PositionState.ERROR,)),
    "ended": ("Ended", (PositionState.CLOSED, PositionState.CANCELLED)),
}


class StateFilter(admin.SimpleListFilter):
    """By what a position is about, rather than by its seven states."""

    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in STATES.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Position]) -> QuerySet[Position]:
        _, states = STATES.get(self.value() or "", ("", ()))
        return queryset.filter(state__in=states) if states else queryset


class PositionAdmin(Asking, ReadOnlyAdmin):
    """Registered by the project, which knows who protects what."""

    list_display: Names = (
        "id", "state_badge", "symbol", "side", "account", "size", "entry", "stop", "gap", "opened", "closed",
        "profit",
    )  # fmt: skip
    armed_display: Names = (
        "id", "symbol", "side", "account", "averages", "interval", "stop_policy", "trailing_terms", "risked",
        "risk", "armed",
    )  # fmt: skip
    list_display_links = ("id", "symbol")
    list_select_related = ("slot__account",)
    list_filter = (StateFilter, "slot__side", "slot__account", "armed_at")
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    verbs = (verbs.CLOSE, verbs.DISARM)
    operate_permission = "trading.change_position"
    add_label = "Arm a symbol"
    change_form_template = "admin/trading/position/detail.html"
    fieldsets: ClassVar[Any] = (
        (None, {"fields": (("state_badge", "account"), ("symbol", "side"), "note")}),
        ("Now", {"fields": (("size", "entry"), ("stop", "gap"), ("extreme", "binance_position_id"))}),
        (
            "Terms",
            {"fields": (("risked", "risk"), ("averages", "interval"), ("stop_policy", "trailing_terms"))},
        ),
        ("End", {"fields": (("exit_reason", "exit_at"), ("exited", "profit"))}),
        ("Time (UTC)", {"fields": ("armed", "opened", "closed")}),
    )
    readonly_fields: ClassVar[Names] = (
        "state_badge", "symbol", "side", "account", "size", "entry", "stop", "gap", "extreme", "risked",
        "risk", "averages", "stop_policy", "trailing_terms", "exit_at", "exited", "profit", "armed", "opened",
        "closed",
    )  # fmt: skip
    state_badge = state()
    size = amount("quantity")
    entry = amount("entry_price", "entry")
    stop = amount("stop_price", "stop")
    gap = amount("distance", "stop's distance")
    extreme = amount("extreme_price", "best price")
    risked = amount("capital")
    risk = amount("risk_percent", "risk, %")
    exit_at = amount("exit_price")
    exited = amount("exit_quantity")
    profit = amount("realised_pnl", "profit")
    armed = moment("armed_at", "armed (UTC)")
    opened = moment("opened_at", "opened (UTC)")
    closed = moment("closed_at", "closed (UTC)")

    @admin.display(ordering="slot__symbol")
    def symbol(self, position: Position) -> str:
        return position.slot.symbol

    @admin.display(ordering="slot__side")
    def side(self, position: Position) -> str:
        return position.slot.side

    @admin.display(ordering="slot__account__name")
    def account(self, position: Position) -> str:
        return str(position.slot.account)

    @admin.display(description="moving averages")
    def averages(self, position: Position) -> str:
        return f"SMA {position.fast_period} over {position.slow_period}"

    @admin.display(description="stop policy")
    def stop_policy(self, position: Position) -> str:
        return f"{position.stop_kind} {plain(position.stop_value)}"

    @admin.display(description="trailing")
    def trailing_terms(self, position: Position) -> str:
        offset = (
            f"{position.trailing_bps} basis points" if position.trailing_bps else "by the stop's distance"
        )
        start = position.activation_price
        return offset if start is None else f"{offset}, from {plain(start)} on"

    # Permissions: reading, and operating for those who may change positions.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("trading.add_position"))

    # Pages.

    def get_list_display(self, request: HttpRequest) -> Any:
        """What is only armed has terms, and neither price nor stop yet."""
        return self.armed_display if request.GET.get("state") == "armed" else self.list_display

    def list_title(self, request: HttpRequest) -> str:
        """The list of what is armed has a name of its own."""
        return "Armed symbols" if request.GET.get("state") == "armed" else "Positions"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Position]:
        found: QuerySet[Position] = super().get_queryset(request)
        return found.select_related("slot__account")

    def get_urls(self) -> list[URLPattern]:
        live = [
            path(f"add/{view.__name__}/", self._page(view), name=f"trading_position_{view.__name__}")
            for view in (arm_page.prospect, arm_page.symbols)
        ]
        return [*live, *super().get_urls()]

    def _page(self, view: Callable[[Any, HttpRequest], HttpResponse]) -> Any:
        return self.admin_site.admin_view(lambda request: view(self, request))

    def add_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """The arm form."""
        return arm_page.arm(self, request)

    def page_of(self, request: HttpRequest, row: Position) -> dict[str, Any]:
        """Its orders and its events."""
        events = list(row.events.order_by("-id")[: MOST_EVENTS + 1])
        return {
            **super().page_of(request, row),
            "title": str(row),
            "subtitle": None,
            "intents": row.intents.prefetch_related("attempts__fills").order_by("id"),
            "told": [(event, summary(event.data)) for event in events[:MOST_EVENTS]],
            "more_events": len(events) > MOST_EVENTS,
        }
