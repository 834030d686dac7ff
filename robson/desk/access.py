"""Who may look, and what a browser may do with these pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

View = Callable[..., HttpResponse]

# Nothing from elsewhere, nothing inline: a page with money on it runs its own scripts and no other.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def page(view: View) -> View:
    """A page for staff: others are led to the login. It is never kept by a browser or on the way."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response

    return require_safe(never_cache(staff_member_required(guarded, login_url="admin:login")))


def may_look(user: Any) -> bool:
    """Whether this user may see positions."""
    return not isinstance(user, AnonymousUser) and bool(user.is_active and user.is_staff)
