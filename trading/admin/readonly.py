"""The bases of every page: the theme's, and pages that can only be read, on tables of millions of rows."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from unfold import admin as unfold

MOST_COUNTED = 10_000

Names = tuple[str, ...]

# Django's classes take type parameters from their stubs only, and the theme's have no stubs.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin = unfold.ModelAdmin
    TabularInline = unfold.TabularInline
    _Paginator = Paginator


class ModelAdmin(_ModelAdmin):
    """What all pages share: lists as wide as the window, and a warning before a form is left unsaved."""

    list_fullwidth = True
    warn_unsaved_form = True
    list_per_page = 50
    add_label = "Add"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": self.list_title(request), **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *how: Any, **options: Any
    ) -> HttpResponse:
        """Nobody adds row after row here."""
        context["show_save_and_add_another"] = False
        return super().render_change_form(request, context, *how, **options)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        more = {} if row is None else self.page_of(request, row)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def page_of(self, _request: HttpRequest, _row: Any) -> dict[str, Any]:
        """What a row's own page shows besides its fields."""
        return {}

    def list_title(self, _request: HttpRequest) -> str:
        """What the list is called."""
        return str(self.model._meta.verbose_name_plural).capitalize()


class CappedPaginator(_Paginator):
    """Counts no further than MOST_COUNTED rows: an exact count of a long log would read all of it."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[:MOST_COUNTED].count())

    @property
    def is_capped(self) -> bool:
        """Whether there may be more rows than are counted and can be turned to."""
        return self.count == MOST_COUNTED


class ReadOnlyAdmin(ModelAdmin):
    """What happened is read here. Nothing is added, changed or deleted, one by one or in bulk."""

    paginator = CappedPaginator
    show_full_result_count = False
    # Counting each filter would read whole tables.
    show_facets = admin.ShowFacets.NEVER
    # What may be chosen is what one page shows.
    list_disable_select_all = True

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False
