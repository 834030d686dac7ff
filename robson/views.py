"""Pages for machines: alive, ready, metrics. They tell nothing about positions and need no login."""

from dataclasses import asdict

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from robson import gauges, health
from robson import metrics as process_metrics


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers; nothing else is asked."""
    return JsonResponse({"alive": True})


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when every part does its job, else 503; both say which."""
    parts = health.parts(timezone.now())
    ready = all(part.ready for part in parts)
    body = {"ready": ready, "parts": [asdict(part) for part in parts]}
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
@never_cache
def metrics(_request: HttpRequest) -> HttpResponse:
    """Prometheus's text format, over all processes."""
    text = process_metrics.exposition(settings.METRICS_DIR, also=[gauges.Gauges(timezone.now())])
    return HttpResponse(text, content_type=process_metrics.CONTENT_TYPE)
