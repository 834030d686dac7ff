"""Which exchange this is about, on every page: nobody may take real money for a rehearsal, or the reverse."""

from django.http import HttpRequest

from trading import gateway, startup
from trading.exchange.endpoints import is_live

Badge = list[str]


def badge(_request: HttpRequest) -> Badge:
    """The word beside every title, and the kind that colours it (see admin.css)."""
    if startup.host_problem():
        return ["no exchange", "warning"]
    return ["LIVE", "live"] if is_live(gateway.endpoints().api) else ["simulator", "info"]


def title_prefix(request: HttpRequest) -> str:
    """The same for the browser's tab."""
    return f"{badge(request)[0]}:"
