"""What is done from a list or a detail page is asked before: what will happen, and why it is wanted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from trading.admin.forms import ReasonForm
from trading.admin.readonly import ModelAdmin
from trading.explain import EXPECTED, NotPossible, explain

__all__ = ["Answers", "Asking", "NotPossible", "Verb"]

Answers = Mapping[str, Any]


def _nothing(_rows: Sequence[Any]) -> list[str]:
    return []


def _always(_row: Any) -> bool:
    return True


@dataclass(frozen=True)
class Verb:
    """One thing to do. `do(row, answers, by)` does it and returns the sentence that says so.

    `fits(row)`: whether a row's own page offers it. `dangers(rows)` are sentences that the question shows in
    red. `form(rows, data)` asks for the reason, and for more where a reason is not enough.
    """

    name: str
    title: str
    warning: str
    button: str
    do: Callable[[Any, Answers, str], str]
    fits: Callable[[Any], bool] = _always
    dangers: Callable[[Sequence[Any]], list[str]] = _nothing
    form: Callable[..., ReasonForm] = field(default=lambda _rows, data: ReasonForm(data))
    is_loud: bool = False


class Asking(ModelAdmin):
    """Pages whose rows have verbs: actions of the list, buttons of a row's page, each with its question."""

    verbs: tuple[Verb, ...] = ()
    operate_permission: str

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether this user may do what the verbs say."""
        return bool(request.user.has_perm(self.operate_permission))

    def get_urls(self) -> list[URLPattern]:
        return [*(self._question(verb) for verb in self.verbs), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The verbs, for those who may; nothing else is done to many rows at once."""
        if not self.has_operate_permission(request):
            return {}
        return {
            f"{verb.name}_selected": (_asks(verb), f"{verb.name}_selected", verb.title) for verb in self.verbs
        }

    def page_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """A row's page offers the verbs that fit it."""
        may = self.has_operate_permission(request)
        deeds = [(verb, self._asked_at(verb, [row.pk])) for verb in self.verbs if may and verb.fits(row)]
        return {**super().page_of(request, row), "deeds": deeds}

    def _question(self, verb: Verb) -> URLPattern:
        view: Any = self.admin_site.admin_view(lambda request: self._confirm(request, verb))
        page: URLPattern = path(f"{verb.name}/", view, name=f"{self._prefix}_{verb.name}")
        return page

    def _asked_at(self, verb: Verb, rows: Sequence[int]) -> str:
        page = reverse(f"admin:{self._prefix}_{verb.name}")
        return f"{page}?{urlencode({'ids': ','.join(map(str, rows))})}"

    def _confirm(self, request: HttpRequest, verb: Verb) -> HttpResponse:
        """Ask on GET, do it on POST, row by row: one that is refused does not stop the others."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        rows = list(self.get_queryset(request).filter(pk__in=_ids(request)))
        back = reverse(f"admin:{self._prefix}_changelist")
        if not rows:
            messages.warning(request, "Nothing was chosen.")
            return HttpResponseRedirect(back)
        form = verb.form(rows, request.POST or None)
        if request.method == "POST" and form.is_valid():
            for row in rows:
                self._do(request, verb, row, form.cleaned_data)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": verb.title,
            "verb": verb,
            "dangers": verb.dangers(rows),
            "rows": rows,
            "form": form,
            "back": back,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/trading/confirm.html", context)

    def _do(self, request: HttpRequest, verb: Verb, row: Any, answers: Answers) -> None:
        try:
            said = verb.do(row, answers, request.user.get_username())
        except EXPECTED as error:
            messages.error(request, f"{row}: {explain(error)}")
            return
        self.log_change(request, row, f"{verb.title}: {answers['reason']}")
        messages.success(request, said)

    @property
    def _prefix(self) -> str:
        options = self.model._meta
        return f"{options.app_label}_{options.model_name}"


def _asks(verb: Verb) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse]:
    def ask(page: Any, _request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse:
        return HttpResponseRedirect(page._asked_at(verb, [row.pk for row in chosen]))

    return ask


def _ids(request: HttpRequest) -> list[int]:
    return [int(text) for text in request.GET.get("ids", "").split(",") if text.isascii() and text.isdigit()]
