"""How the admin looks: its theme's settings, and what its sidebar leads to."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy

_BLUE = {
    "50": "#eff6ff", "100": "#dbeafe", "200": "#bfdbfe", "300": "#93c5fd", "400": "#60a5fa", "500": "#3b82f6",
    "600": "#2563eb", "700": "#1d4ed8", "800": "#1e40af", "900": "#1e3a8a", "950": "#172554",
}  # fmt: skip

Asks = Callable[[HttpRequest], bool]


def _may(permission: str) -> Asks:
    return lambda request: bool(request.user.has_perm(permission))


def _shows_state(state: str | None) -> Asks:
    """Two links lead to the list of positions: the one whose filter is chosen is lit."""
    return lambda request: (
        request.path.startswith(reverse("admin:trading_position_changelist"))
        and request.GET.get("state") == state
        and not request.path.endswith("/add/")
    )


def _has_flower(request: HttpRequest) -> bool:
    return bool(settings.FLOWER_URL) and bool(request.user.has_perm("django_celery_beat.view_periodictask"))


def _list(title: str, icon: str, model: str, **more: Any) -> dict[str, Any]:
    app, name = model.split(".")
    link = reverse_lazy(f"admin:{app}_{name}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": _may(f"{app}.view_{name}"), **more}


def _armed_symbols() -> str:
    return f"{reverse('admin:trading_position_changelist')}?state=armed"


def _sidebar(_request: HttpRequest) -> list[dict[str, Any]]:
    arm = {
        "title": "Arm a symbol",
        "icon": "add_circle",
        "link": reverse("admin:trading_position_add"),
        "permission": _may("trading.add_position"),
    }
    armed = _list("Armed symbols", "target", "trading.position", active=_shows_state("armed"))
    flower = {"title": "Flower", "icon": "local_florist", "link": settings.FLOWER_URL}
    return [
        _section(
            "Positions",
            {"title": "Live page", "icon": "monitoring", "link": "/", "active": lambda _: False},
            arm,
            {**armed, "link": _armed_symbols()},
            _list("Positions", "show_chart", "trading.position", active=_shows_state(None)),
            _list("Guarded positions", "shield", "safetynet.guardedposition"),
            _list("Exemptions", "remove_moderator", "safetynet.exemption"),
        ),
        _section(
            "Orders, events and alarms",
            _list("Order intents", "receipt_long", "trading.orderintent"),
            _list("Fills", "price_check", "trading.fill"),
            _list("Events", "history", "trading.event"),
            _list("Alarms", "notifications", "robson.alarm"),
        ),
        _section(
            "Schedule and tasks",
            _list("Schedule", "schedule", "django_celery_beat.periodictask"),
            _list("Task results", "task_alt", "django_celery_results.taskresult"),
            _list("Polls", "radar", "safetynet.pollstate"),
            {**flower, "permission": _has_flower, "active": lambda _: False},
            {"title": "Metrics", "icon": "analytics", "link": "/metrics", "active": lambda _: False},
        ),
        _section(
            "Accounts",
            _list("Accounts and risk", "account_balance_wallet", "trading.account"),
            _list("Users", "person", "auth.user"),
            _list("Groups", "group", "auth.group"),
        ),
    ]


def _section(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "items": list(items)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Robson",
    "SITE_HEADER": "Robson",
    "SITE_SYMBOL": "shield",
    "SITE_URL": "/",
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "robson.admin.environment.badge",
    "ENVIRONMENT_TITLE_PREFIX": "robson.admin.environment.title_prefix",
    "COLORS": {"primary": _BLUE},
    "STYLES": [lambda _request: static("trading/admin.css")],
    "SCRIPTS": [lambda _request: static("trading/scheme.js")],
    "SIDEBAR": {"navigation": _sidebar},
}
