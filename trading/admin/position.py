"""Core positions: armed through a form, disarmed and closed through a question, otherwise only read."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from trading import arming, operations
from trading.admin import verbs
from trading.admin.arming import ArmForm
from trading.admin.history import summary
from trading.admin.readonly import ReadOnlyAdmin, amount, badge, moment, state
from trading.arming import Preview
from trading.domain.lifecycle import PositionState
from trading.explain import EXPECTED, explain
from trading.models import Account, Position

MOST_EVENTS = 100


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "state_badge", "symbol", "side", "account", "size", "entry", "stop", "gap", "opened", "closed",
        "profit",
    )  # fmt: skip
    list_display_links = ("id", "symbol")
    list_select_related = ("slot__account",)
    list_filter = ("state", "slot__side", "slot__account", "armed_at")
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"
    actions = ("disarm_selected", "close_selected")
    change_list_template = "admin/trading/position/change_list.html"
    change_form_template = "admin/trading/position/detail.html"
    fieldsets = (
        (None, {"fields": (("state_badge", "symbol", "side", "account"), "note")}),
        ("Now", {"fields": (("size", "entry", "stop"), ("gap", "extreme"), "binance_position_id")}),
        (
            "Terms",
            {
                "fields": (
                    ("risked", "risk_percent"),
                    ("averages", "interval"),
                    ("stop_policy", "trailing_terms"),
                )
            },
        ),
        ("End", {"fields": (("exit_reason", "exit_at"), ("exited", "profit"))}),
        ("Time (UTC)", {"fields": (("armed", "opened", "closed"),)}),
    )
    readonly_fields = (
        "state_badge", "symbol", "side", "account", "size", "entry", "stop", "gap", "extreme", "risked",
        "averages", "stop_policy", "trailing_terms", "exit_at", "exited", "profit", "armed", "opened",
        "closed",
    )  # fmt: skip
    state_badge = state()
    size = amount("quantity")
    entry = amount("entry_price", "entry")
    stop = amount("stop_price", "stop")
    gap = amount("distance")
    extreme = amount("extreme_price", "best price")
    risked = amount("capital")
    exit_at = amount("exit_price")
    exited = amount("exit_quantity")
    profit = amount("realised_pnl", "profit")
    armed = moment("armed_at", "armed")
    opened = moment("opened_at", "opened")
    closed = moment("closed_at", "closed")

    @admin.display(ordering="slot__symbol")
    def symbol(self, position: Position) -> str:
        return position.slot.symbol

    @admin.display(ordering="slot__side")
    def side(self, position: Position) -> str:
        return position.slot.side

    @admin.display(ordering="slot__account")
    def account(self, position: Position) -> str:
        return str(position.slot.account)

    @admin.display(description="moving averages")
    def averages(self, position: Position) -> str:
        return f"SMA {position.fast_period} over {position.slow_period}"

    @admin.display(description="stop")
    def stop_policy(self, position: Position) -> str:
        return f"{position.stop_kind} {position.stop_value.normalize():f}"

    @admin.display(description="trailing")
    def trailing_terms(self, position: Position) -> str:
        offset = (
            f"{position.trailing_bps} basis points" if position.trailing_bps else "by the stop's distance"
        )
        start = position.activation_price
        return offset if start is None else f"{offset}, from {start.normalize():f} on"

    # Permissions: reading, and operating for those who may change positions.

    def may_operate(self, request: HttpRequest) -> bool:
        """Whether this user arms, disarms and closes."""
        return request.user.has_perm("trading.change_position")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.add_position")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """What the actions below ask for."""
        return self.may_operate(request)

    # Pages.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Position]:
        found: QuerySet[Position] = super().get_queryset(request)
        return found.select_related("slot__account")

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"{verb.name}/",
                self.admin_site.admin_view(self._page(verb)),
                name=f"trading_position_{verb.name}",
            )
            for verb in (verbs.DISARM, verbs.CLOSE)
        ]
        return [*pages, *super().get_urls()]

    def _page(self, verb: verbs.Verb) -> Any:
        return lambda request: verbs.confirm(self, request, verb)

    @admin.action(description="Disarm the chosen positions", permissions=["operate"])
    def disarm_selected(self, _request: HttpRequest, chosen: QuerySet[Position]) -> HttpResponse:
        return verbs.ask(self, verbs.DISARM, [position.pk for position in chosen])

    @admin.action(description="Close the chosen positions now", permissions=["operate"])
    def close_selected(self, _request: HttpRequest, chosen: QuerySet[Position]) -> HttpResponse:
        return verbs.ask(self, verbs.CLOSE, [position.pk for position in chosen])

    def add_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """The arm form."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ArmForm(request.POST or None, initial={"account": Account.objects.filter(active=True).first()})
        expected: Preview | None = None
        if request.method == "POST" and form.is_valid():
            try:
                if "preview" not in request.POST:
                    return self._arm(request, form)
                expected = operations.preview(account=form.cleaned_data["account"], order=form.order())
            except EXPECTED as error:
                form.add_error(None, explain(error))
        return self._arm_page(request, form, expected)

    def _arm(self, request: HttpRequest, form: ArmForm) -> HttpResponseRedirect:
        by = request.user.get_username()
        position = operations.arm(account=form.cleaned_data["account"], order=form.order(), by=by)
        self.log_addition(request, position, f"Armed by {by}")
        messages.success(request, f"{position} is armed: its next crossover opens it.")
        return HttpResponseRedirect(reverse("admin:trading_position_change", args=[position.pk]))

    def _arm_page(self, request: HttpRequest, form: ArmForm, expected: Preview | None) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Arm a symbol",
            "form": form,
            "expected": expected,
            "accounts": Account.objects.filter(active=True),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/trading/position/arm.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The detail page: what it is, its orders and its events."""
        position = self.get_object(request, object_id)
        more = self._story(request, position) if position is not None else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def _story(self, request: HttpRequest, position: Position) -> dict[str, Any]:
        events = list(position.events.order_by("-id")[: MOST_EVENTS + 1])
        return {
            "title": str(position),
            "subtitle": None,
            "intents": position.intents.prefetch_related("attempts__fills").order_by("id"),
            "told": [(event, summary(event.data)) for event in events[:MOST_EVENTS]],
            "more_events": len(events) > MOST_EVENTS,
            "badge": badge(position.state),
            "can_disarm": self.may_operate(request) and position.state in arming.AFTER_DISARMING,
            "can_close": self.may_operate(request) and position.state == PositionState.ACTIVE,
        }
