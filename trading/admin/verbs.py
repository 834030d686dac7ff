"""What the owner does to positions and accounts from a list or a detail page, after a question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from trading import operations
from trading.admin.arming import ReasonForm
from trading.explain import EXPECTED, explain
from trading.models import Account, OrderIntent, Position


@dataclass(frozen=True)
class Verb:
    """One thing to do. `do(row, reason, by)` does it and returns the sentence that says so."""

    name: str
    title: str
    warning: str
    button: str
    do: Callable[[Any, str, str], str]


def disarm(position: Position, reason: str, by: str) -> str:
    """Raises DisarmRefused."""
    operations.disarm(position=position, reason=reason, by=by)
    return f"{position} is disarmed."


def close(position: Position, reason: str, by: str) -> str:
    """Raises NotPossible."""
    intent = operations.close_now(position=position, reason=reason, by=by)
    return f"{position}: {_executed([intent])}"


def panic(account: Account, reason: str, by: str) -> str:
    """Close everything of Core's on one account."""
    intents = operations.panic(account=account, reason=reason, by=by)
    told = _executed(intents) if intents else "nothing was open."
    return f"{account}: entries are paused, nothing is armed; {told}"


DISARM = Verb("disarm", "Disarm", "Nothing is bought or sold.", "Disarm", disarm)
CLOSE = Verb("close", "Close now", "Each position is closed at market, at once.", "Close at market", close)
PANIC = Verb(
    "panic",
    "Panic",
    "All of Core's open positions are closed at market, what is armed is disarmed, and entries are paused. "
    "Positions opened by hand are not touched.",
    "Close everything",
    panic,
)


def ask(model_admin: Any, verb: Verb, rows: Sequence[int]) -> HttpResponseRedirect:
    """To the page that asks for a reason and a confirmation."""
    page = reverse(f"admin:{_prefix(model_admin)}_{verb.name}")
    return HttpResponseRedirect(f"{page}?{urlencode({'ids': ','.join(map(str, rows))})}")


def confirm(model_admin: Any, request: HttpRequest, verb: Verb) -> HttpResponse:
    """Ask on GET, do it on POST, row by row: one that is refused does not stop the others."""
    if not model_admin.may_operate(request):
        raise PermissionDenied
    rows = list(model_admin.get_queryset(request).filter(pk__in=_ids(request)))
    form = ReasonForm(request.POST or None)
    back = reverse(f"admin:{_prefix(model_admin)}_changelist")
    if not rows:
        messages.warning(request, "Nothing was chosen.")
        return HttpResponseRedirect(back)
    if request.method == "POST" and form.is_valid():
        for row in rows:
            _do(model_admin, request, verb, row, form.cleaned_data["reason"])
        return HttpResponseRedirect(back)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": verb.title,
        "verb": verb,
        "rows": rows,
        "form": form,
        "back": back,
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/trading/confirm.html", context)


def _do(model_admin: Any, request: HttpRequest, verb: Verb, row: Any, reason: str) -> None:
    try:
        said = verb.do(row, reason, request.user.get_username())
    except EXPECTED as error:
        messages.error(request, f"{row}: {explain(error)}")
        return
    model_admin.log_change(request, row, f"{verb.title}: {reason}")
    messages.success(request, said)


def _executed(intents: Sequence[OrderIntent]) -> str:
    handed = operations.hand_over(intents)
    left = [_execute_here(intent) for intent in intents if intent.pk in handed.ours]
    told = f"{len(intents)} exits are under way." if len(intents) != 1 else "the exit is under way."
    return f"{told} {' '.join(left)}".strip()


def _execute_here(intent: OrderIntent) -> str:
    try:
        operations.execute_here(intent)
    except DatabaseError:
        raise
    except EXPECTED as error:
        return f"The broker is away, and this process could not execute it: {explain(error)}"
    return "The broker is away: it was executed by the web process."


def _ids(request: HttpRequest) -> list[int]:
    return [int(text) for text in request.GET.get("ids", "").split(",") if text.isascii() and text.isdigit()]


def _prefix(model_admin: Any) -> str:
    options = model_admin.model._meta
    return f"{options.app_label}_{options.model_name}"
