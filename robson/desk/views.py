"""The pages: what is, one position, and its story. Each works without scripts, which keep it up to date."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from robson.admin import environment
from robson.desk import chart
from robson.desk.access import page
from robson.desk.cards import CENT, rounded
from robson.desk.chart import Chart
from robson.desk.picture import picture
from robson.desk.snapshot import snapshot
from robson.story import Story, story_of_guard, story_of_position
from safetynet.models import GuardedPosition
from trading.models import Position

KINDS = {"core": "Core position", "guard": "opened by hand, guard"}


@dataclass(frozen=True, slots=True)
class Over:
    """How a position ended. `profit` is None where it is not known."""

    at: datetime
    entry: Decimal | None
    quantity: Decimal | None
    stop: Decimal | None
    exit: Decimal | None
    profit: Decimal | None
    note: str


@page
def live(request: HttpRequest) -> HttpResponse:
    """Everything at a glance."""
    return _render(request, "live", picture=picture(snapshot(timezone.now())))


@page
def position(request: HttpRequest, pk: int) -> HttpResponse:
    """One Core position with its chart."""
    row = get_object_or_404(_positions(), pk=pk)
    over = _over(row, row.exit_reason or row.note, rounded(row.realised_pnl, CENT))
    return _one(request, "core", row, chart.of_position(row, timezone.now()), over)


@page
def guard(request: HttpRequest, pk: int) -> HttpResponse:
    """One position that the Safety Net guards, with its chart."""
    row = get_object_or_404(_guards(), pk=pk)
    over = _over(row, row.end_reason, rounded(row.result, CENT))
    return _one(request, "guard", row, chart.of_guard(row, timezone.now()), over)


@page
def position_chart(_request: HttpRequest, pk: int) -> HttpResponse:
    """The numbers of its chart, and the tables beside it."""
    now = timezone.now()
    return _chart(chart.of_position(get_object_or_404(_positions(), pk=pk), now), now)


@page
def guard_chart(_request: HttpRequest, pk: int) -> HttpResponse:
    """The same for a guarded position."""
    now = timezone.now()
    return _chart(chart.of_guard(get_object_or_404(_guards(), pk=pk), now), now)


@page
def position_story(request: HttpRequest, pk: int) -> HttpResponse:
    """What happened to a Core position, and who said what."""
    row = get_object_or_404(_positions(), pk=pk)
    return _story(request, story_of_position(row, timezone.now()), "position")


@page
def guard_story(request: HttpRequest, pk: int) -> HttpResponse:
    """The same for a guarded position."""
    row = get_object_or_404(_guards(), pk=pk)
    return _story(request, story_of_guard(row, timezone.now()), "guard")


def _positions() -> QuerySet[Position]:
    return Position.objects.select_related("slot__account")


def _guards() -> QuerySet[GuardedPosition]:
    return GuardedPosition.objects.select_related("slot__account")


def _over(row: Position | GuardedPosition, note: str, profit: Decimal | None) -> Over | None:
    if row.closed_at is None:
        return None
    return Over(row.closed_at, row.entry_price, row.quantity, row.stop_price, row.exit_price, profit, note)


def _one(
    request: HttpRequest, kind: str, row: Position | GuardedPosition, drawn: Chart, over: Over | None
) -> HttpResponse:
    now_seen, key = picture(snapshot(timezone.now())), f"{kind}-{row.pk}"
    page_name = "guard" if kind == "guard" else "position"
    admin_page = "safetynet_guardedposition" if kind == "guard" else "trading_position"
    return _render(
        request,
        "position",
        picture=now_seen,
        key=key,
        row=row,
        over=over,
        chart=drawn,
        facts=now_seen.facts.get(key, ""),
        alarm=now_seen.pieces["alarm"],
        name=f"{row.slot.symbol} {row.slot.side}",
        account=row.slot.account.name,
        kind=kind,
        kind_name=KINDS[kind],
        chart_url=reverse(f"desk:{page_name}_chart", args=[row.pk]),
        story_url=reverse(f"desk:{page_name}_story", args=[row.pk]),
        admin_url=reverse(f"admin:{admin_page}_change", args=[row.pk]),
        admin_link="Close or disarm it" if kind == "core" and over is None else "In the admin",
    )


def _chart(drawn: Chart, now: datetime) -> JsonResponse:
    tables = {
        name: render_to_string(f"desk/pieces/{name}.html", {"chart": drawn}) for name in ("stops", "events")
    }
    return JsonResponse({**drawn.told(now), "tables": tables})


def _story(request: HttpRequest, story: Story, back: str) -> HttpResponse:
    back_url = reverse(f"desk:{back}", args=[story.id])
    return _render(request, "story", story=story, kind_name=KINDS[story.kind], back_url=back_url)


def _render(request: HttpRequest, template: str, /, **context: Any) -> HttpResponse:
    return render(
        request,
        f"desk/{template}.html",
        {"flower_url": settings.FLOWER_URL, "exchange": environment.badge(request), **context},
    )
