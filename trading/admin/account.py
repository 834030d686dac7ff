"""Accounts: risk settings and a pause of entries. Secrets stay in the environment."""

from typing import Any

from django.contrib import admin
from django.db.models import DecimalField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from trading import operations, startup
from trading.admin import verbs
from trading.admin.readonly import ModelAdmin, PlainDecimalField, amount
from trading.models import Account


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    list_display = (
        "name",
        "active",
        "entries_paused",
        "default_capital",
        "risk",
        "safety_stop",
        "keys",
    )
    formfield_overrides = {DecimalField: {"form_class": PlainDecimalField}}
    default_capital = amount("capital")
    risk = amount("risk_percent")
    safety_stop = amount("safety_stop_percent")
    actions = ("panic_selected",)
    fieldsets = (
        (None, {"fields": ("name", "active", "entries_paused")}),
        ("Risk", {"fields": ("capital", "risk_percent", "safety_stop_percent")}),
        ("Keys", {"fields": ("api_key_env", "api_secret_env", "keys")}),
    )
    readonly_fields = ("keys",)

    @admin.display(description="keys in this process")
    def keys(self, account: Account) -> str:
        """Whether this process has the account's keys, never the keys."""
        missing = startup.missing_variables([account])
        return f"missing: {', '.join(missing)}" if missing else "set"

    def get_readonly_fields(self, _request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        # Its name is part of every slot's key.
        return ("name", "keys") if obj else ("keys",)

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def may_operate(self, request: HttpRequest) -> bool:
        """Whether this user may close everything."""
        return request.user.has_perm("trading.change_account")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """What the action below asks for."""
        return self.may_operate(request)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(lambda request: verbs.confirm(self, request, verbs.PANIC))
        return [path("panic/", page, name="trading_account_panic"), *super().get_urls()]

    @admin.action(description="Panic: close all of Core's positions", permissions=["operate"])
    def panic_selected(self, _request: HttpRequest, chosen: QuerySet[Account]) -> HttpResponse:
        return verbs.ask(self, verbs.PANIC, [account.pk for account in chosen])

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: Any) -> None:
        """Save; a pause or its end is recorded with its author."""
        wanted = obj.entries_paused
        if change:
            obj.entries_paused = Account.objects.values_list("entries_paused", flat=True).get(pk=obj.pk)
        super().save_model(request, obj, form, change)
        if change and obj.entries_paused != wanted:
            operations.pause_entries(
                account=obj, paused=wanted, reason="set in the admin", by=request.user.get_username()
            )
