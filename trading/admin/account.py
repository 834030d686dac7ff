"""Accounts: risk settings, a pause of entries, panic. Secrets stay in the environment."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import DecimalField
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from trading import operations, startup
from trading.admin import verbs
from trading.admin.asking import Asking, Verb
from trading.admin.columns import PlainDecimalField, amount, label
from trading.admin.readonly import Names
from trading.models import Account

# Django's class takes its type parameter from the stubs only.
if TYPE_CHECKING:
    _AccountForm = forms.ModelForm[Account]
else:
    _AccountForm = forms.ModelForm


class AccountForm(_AccountForm):
    """Risk settings decide what a stop costs: a change has a reason, as everything that is done here."""

    reason = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Why it is so from now on. Goes into the event log, with your name.",
    )

    class Meta:
        model = Account
        # Pauses and switches are actions of their own, each with a question.
        fields = ("name", "capital", "risk_percent", "safety_stop_percent", "api_key_env", "api_secret_env")


NOTES = ("watched", "entries", "keys")


class AccountAdmin(Asking):
    """Registered by the project, which adds what concerns the Safety Net too."""

    form = AccountForm
    list_display: Names = (
        "name",
        "watched",
        "entries",
        "default_capital",
        "risk",
        "safety_stop",
        "keys",
    )
    formfield_overrides = {DecimalField: {"form_class": PlainDecimalField}}
    default_capital = amount("capital")
    risk = amount("risk_percent")
    safety_stop = amount("safety_stop_percent")
    verbs: tuple[Verb, ...] = (verbs.PAUSE, verbs.RESUME, verbs.PANIC)
    operate_permission = "trading.change_account"
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "watched", "entries")}),
        ("Risk", {"fields": ("capital", "risk_percent", "safety_stop_percent")}),
        ("Keys", {"fields": ("api_key_env", "api_secret_env", "keys")}),
        ("Why", {"fields": ("reason",)}),
    )

    @label("watched", ordering="active")
    def watched(self, account: Account) -> str:
        """Whether consumer and poll look at it: with neither, nothing on it is protected."""
        return "watched" if account.active else "switched off"

    @label("new entries", ordering="entries_paused")
    def entries(self, account: Account) -> str:
        return "paused" if account.entries_paused else "allowed"

    @admin.display(description="keys in this process")
    def keys(self, account: Account) -> str:
        """Whether this process has the account's keys, never the keys."""
        missing = startup.missing_variables([account])
        return f"missing: {', '.join(missing)}" if missing else "set"

    def get_readonly_fields(self, _request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        # Its name is part of every slot's key.
        return ("name", *NOTES) if obj else NOTES

    def get_fieldsets(self, request: HttpRequest, obj: Account | None = None) -> Any:
        """A reader has nothing to give a reason for."""
        sets = super().get_fieldsets(request, obj)
        return sets if obj is None or self.has_change_permission(request, obj) else sets[:-1]

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        """Save what was changed and nothing else: a pause that came meanwhile stays. Recorded with author."""
        reason, by = form.cleaned_data["reason"], request.user.get_username()
        if change:
            fields = set(form.changed_data) - {"reason"}
            operations.change_account(account=obj, fields=fields, reason=reason, by=by)
        else:
            operations.add_account(account=obj, reason=reason, by=by)
