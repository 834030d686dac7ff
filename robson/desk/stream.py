"""Server-sent events: what has changed, or a sign of life, for as long as the viewer is logged in."""

from collections.abc import AsyncIterator
from functools import lru_cache
from importlib import import_module
from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from robson.desk.access import may_look
from robson.desk.feed import Feed
from robson.desk.messages import change, event

MOST_VIEWERS = 200
# Less than half of what the page waits before it calls itself out of date.
ALIVE_S = 3.0
LOGIN_CHECK_S = 5.0
RECONNECT_MS = 2_000


@lru_cache(1)
def feed() -> Feed:
    """This process's own."""
    return Feed()


@require_safe
@never_cache
def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Changes of the live page, or of the one position named by `about`. 403 without a login of staff."""
    if not may_look(request.user):
        return HttpResponse("Log in first.", status=403, content_type="text/plain")
    if feed().watchers >= MOST_VIEWERS:
        return HttpResponse("Too many viewers.", status=503, content_type="text/plain")
    about, session = request.GET.get("about", ""), request.session.session_key or ""
    # The stream may last for hours: it must not keep the connection that the login was read with.
    close_old_connections()
    answer = StreamingHttpResponse(_events(feed(), about, session), content_type="text/event-stream")
    answer["X-Accel-Buffering"] = "no"
    return answer


async def _events(source: Feed, about: str, session: str) -> AsyncIterator[bytes]:
    """Ends when the viewer has logged out, and says so."""
    async with source.watching():
        yield f"retry: {RECONNECT_MS}\n\n".encode()
        shown, number = None, source.latest
        checked = told = monotonic()
        while True:
            view = await source.newer(number)
            number = view.number
            if monotonic() - checked >= LOGIN_CHECK_S:
                if not await _still_in(source, session):
                    yield event("ended", {})
                    return
                checked = monotonic()
            if view.trouble:
                yield event("trouble", {"text": view.trouble})
                continue
            if view.picture is None:
                continue
            news = change(shown, view.picture, about)
            if news or monotonic() - told >= ALIVE_S:
                told = monotonic()
                yield event("change" if news else "alive", news or {"at": view.picture.at.isoformat()})
            shown = view.picture


async def _still_in(source: Feed, session: str) -> bool:
    """While the database cannot be asked, nothing new is shown either."""
    try:
        return await source.ask(lambda: may_look(auth.get_user(_request_of(session))))
    except DatabaseError:
        return True


def _request_of(session: str) -> HttpRequest:
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    request = HttpRequest()
    request.session = store(session)
    return request
