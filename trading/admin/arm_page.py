"""The page that arms a symbol, and what it asks for while its form is filled in. Only `arm` writes."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from trading import operations
from trading.admin.arming import ArmForm
from trading.arming import Preview
from trading.explain import EXPECTED, explain
from trading.models import Account

MOST_SYMBOLS = 12


def arm(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The form; on POST arm, or with the button Preview show what it would lead to."""
    _require_permission(model_admin, request)
    form = ArmForm(request.POST or None, initial={"account": Account.objects.filter(active=True).first()})
    expected: Preview | None = None
    if request.method == "POST" and form.is_valid():
        try:
            if "preview" not in request.POST:
                return _arm(model_admin, request, form)
            expected = operations.preview(account=form.cleaned_data["account"], order=form.order())
        except EXPECTED as error:
            form.add_error(None, explain(error))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": "Arm a symbol",
        "form": form,
        "expected": expected,
        "paused": _paused(form),
        "accounts": Account.objects.filter(active=True),
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "admin/trading/position/arm.html", context)


def prospect(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """A piece of the page: what the form as it stands would lead to, or the sentences that say why not."""
    _require_permission(model_admin, request)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = ArmForm(request.POST)
    expected: Preview | None = None
    refusals: list[str] = []
    if form.is_valid():
        try:
            expected = operations.preview_lately(account=form.cleaned_data["account"], order=form.order())
        except EXPECTED as error:
            refusals = [explain(error)]
    elif form.data.get("symbol"):
        refusals = [f"{form[name].label}: {' '.join(map(str, texts))}" for name, texts in form.errors.items()]
    context = {"expected": expected, "refusals": refusals, "paused": _paused(form)}
    return TemplateResponse(request, "admin/trading/position/prospect.html", context)


def symbols(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The pairs that the text `q` may mean, as JSON, or why there are none."""
    _require_permission(model_admin, request)
    chosen = request.GET.get("account", "")
    account = Account.objects.filter(active=True, pk=chosen).first() if chosen.isdecimal() else None
    if account is None:
        return JsonResponse({"symbols": [], "refused": "Choose an account first."})
    try:
        found = operations.find_symbols(account=account, text=request.GET.get("q", ""), most=MOST_SYMBOLS)
    except EXPECTED as error:
        refused = f"The list of symbols cannot be read: type it in full. {explain(error)}"
        return JsonResponse({"symbols": [], "refused": refused})
    rows = [{"symbol": one.symbol, "base": one.base_asset, "quote": one.quote_asset} for one in found]
    return JsonResponse({"symbols": rows, "refused": ""})


def _arm(model_admin: Any, request: HttpRequest, form: ArmForm) -> HttpResponseRedirect:
    by, reason = request.user.get_username(), form.cleaned_data["reason"]
    account = form.cleaned_data["account"]
    position = operations.arm(account=account, order=form.order(), by=by, reason=reason)
    model_admin.log_addition(request, position, f"Armed by {by}")
    messages.success(request, f"{position} is armed: its next crossover opens it.")
    return HttpResponseRedirect(reverse("admin:trading_position_change", args=[position.pk]))


def _paused(form: ArmForm) -> Account | None:
    """The chosen account if it takes no new entries: it would refuse to arm."""
    account: Account | None = getattr(form, "cleaned_data", {}).get("account")
    return account if account is not None and account.entries_paused else None


def _require_permission(model_admin: Any, request: HttpRequest) -> None:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
