"""The Safety Net in the admin: guards are read, exemptions are made and ended."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from safetynet.models import Exemption, GuardedPosition, PollState
from safetynet.services import ExemptionRefused, end_exemption, exempt
from trading import queries
from trading.admin.asking import Answers, Asking, NotPossible, Verb
from trading.admin.columns import amount, label, moment, state
from trading.admin.forms import ThemedForm
from trading.admin.readonly import Names, ReadOnlyAdmin
from trading.domain.types import Side

LENGTHS = (("1", "1 hour"), ("4", "4 hours"), ("24", "1 day"), ("168", "1 week"), ("720", "30 days"))


class SlotColumns(ReadOnlyAdmin):
    """Columns of every table whose rows belong to a slot."""

    list_select_related = ("slot__account",)
    search_fields = ("=slot__symbol",)
    search_help_text = "A symbol, in full"

    @admin.display(ordering="slot__symbol")
    def symbol(self, row: Any) -> str:
        return str(row.slot.symbol)

    @admin.display(ordering="slot__side")
    def side(self, row: Any) -> str:
        return str(row.slot.side)

    @admin.display(ordering="slot__account__name")
    def account(self, row: Any) -> str:
        return str(row.slot.account)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("slot__account")


class GuardedPositionAdmin(SlotColumns):
    """Registered by the project, which knows who protects what."""

    list_display: Names = (
        "id", "state_badge", "symbol", "side", "account", "size", "entry", "provisional", "stop",
        "seen", "opened", "end_reason",
    )  # fmt: skip
    list_display_links = ("id", "symbol")
    list_filter = ("state", "entry_is_provisional", "slot__account", "opened_at")
    fields: ClassVar[Names] = (
        "state_badge", "symbol", "side", "account", "size", "entry", "provisional", "stop", "price",
        "seen", "opened", "closed", "exit_at", "brought", "end_reason", "told",
    )  # fmt: skip
    readonly_fields: ClassVar[Names] = (
        "state_badge", "symbol", "side", "account", "size", "entry", "provisional", "stop", "price",
        "exit_at", "brought", "told",
        "seen", "opened", "closed",
    )  # fmt: skip
    state_badge = state()
    size = amount("quantity")
    entry = amount("entry_price", "entry")
    stop = amount("stop_price", "safety stop")
    price = amount("last_price", "price at the last poll")
    seen = moment("last_seen_at", "last seen (UTC)")
    opened = moment("opened_at", "opened (UTC)")
    closed = moment("closed_at", "closed (UTC)")
    exit_at = amount("exit_price")
    brought = amount("result", "result before fees")

    @admin.display(description="entry is provisional", ordering="entry_is_provisional", empty_value="")
    def provisional(self, guard: GuardedPosition) -> str:
        """The trades did not tell the entry price: protected from the price found."""
        return "yes" if guard.entry_is_provisional else ""

    @admin.display(description="events")
    def told(self, guard: GuardedPosition) -> SafeString:
        page = reverse("admin:trading_event_changelist")
        return format_html('<a class="link" href="{}?guard_id={}">All events</a>', page, guard.pk)


@admin.register(PollState)
class PollStateAdmin(ReadOnlyAdmin):
    list_display: Names = (
        "account", "polls", "success", "failures_in_a_row", "last_error", "last_duration_s",
        "lease_holder",
    )  # fmt: skip
    list_select_related = ("account",)
    success = moment("last_success_at", "last success (UTC)")

    def list_title(self, _request: HttpRequest) -> str:
        return "Polls"


class ExemptionForm(ThemedForm):
    """A slot, for how long, and why."""

    account = forms.ChoiceField()
    symbol = forms.CharField(
        max_length=32, widget=forms.TextInput(attrs={"placeholder": "ETHUSDT", "autocomplete": "off"})
    )
    side = forms.ChoiceField(choices=[(str(side), side.capitalize()) for side in Side])
    hours = forms.ChoiceField(choices=LENGTHS, initial="24", label="For")
    reason = forms.CharField(max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Those that are switched off too: what must not be closed is said before the first poll.
        self.accounts = {account.name: account for account in queries.Account.objects.all()}
        field: Any = self.fields["account"]
        field.choices = [(name, name) for name in self.accounts]

    def clean_symbol(self) -> str:
        """Upper case, one word."""
        symbol = str(self.cleaned_data["symbol"]).strip().upper()
        RegexValidator(r"^[^\s!-/:-@\[-~]+$", "One word of letters and digits, for example ETHUSDT.")(symbol)
        return symbol


def is_in_force(exemption: Exemption) -> bool:
    """Whether its slot's stop is off now."""
    return exemption.ended_at is None and exemption.until > timezone.now()


def end(exemption: Exemption, answers: Answers, by: str) -> str:
    """Raises NotPossible if it was over already."""
    if not end_exemption(exemption=exemption, by=by, reason=answers["reason"], at=timezone.now()):
        raise NotPossible("this exemption was over already")
    return f"{exemption.slot} is protected again."


END = Verb(
    "end",
    "End exemption",
    "The Safety Net protects these again at once: one that is past its stop is closed by the next poll.",
    "Protect again",
    end,
    fits=is_in_force,
)


@admin.register(Exemption)
class ExemptionAdmin(Asking, SlotColumns):
    list_display = (
        "id", "symbol", "side", "account", "until_at", "in_force", "reason", "created_by", "ended",
    )  # fmt: skip
    list_filter = ("slot__account", "until")
    verbs = (END,)
    operate_permission = "safetynet.change_exemption"
    fields = ("symbol", "side", "account", "until_at", "reason", "created_by", "created", "ended")
    readonly_fields = ("symbol", "side", "account", "until_at", "created", "ended")
    add_label = "Exempt a symbol"
    until_at = moment("until", "until (UTC)")
    created = moment("created_at", "created (UTC)")
    ended = moment("ended_at", "ended (UTC)")

    @label("now")
    def in_force(self, exemption: Exemption) -> str:
        return "in force" if is_in_force(exemption) else "over"

    def has_add_permission(self, request: HttpRequest, *_: Any, **__: Any) -> bool:
        return bool(request.user.has_perm("safetynet.add_exemption"))

    def add_view(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        """A form that names the slot, since the slot may not have a row yet."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        # A guard's page leads here with its slot.
        form = ExemptionForm(request.POST or None, initial=request.GET.dict())
        if request.method == "POST" and form.is_valid():
            try:
                return self._exempt(request, form)
            except ExemptionRefused as refusal:
                form.add_error(None, str(refusal))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Exempt a symbol from the Safety Net",
            "form": form,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, "admin/safetynet/exempt.html", context)

    def _exempt(self, request: HttpRequest, form: ExemptionForm) -> HttpResponseRedirect:
        data, now = form.cleaned_data, timezone.now()
        slot = queries.slot_for(form.accounts[data["account"]], data["symbol"], Side(data["side"]))
        until = now + timedelta(hours=int(data["hours"]))
        made = exempt(slot=slot, until=until, reason=data["reason"], by=request.user.get_username(), at=now)
        self.log_addition(request, made, data["reason"])
        messages.warning(request, f"{made}: the Safety Net's stop is off until then.")
        return HttpResponseRedirect(reverse("admin:safetynet_exemption_changelist"))
