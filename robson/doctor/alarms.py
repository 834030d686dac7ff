"""The alarms: whether somebody would hear of trouble, and what he should have heard of already."""

from django.utils import timezone

from robson import health
from robson.alarms import config
from robson.alarms.kinds import Severity
from robson.alarms.models import Alarm
from robson.doctor.findings import Check, Finding, failed, ok, warning
from robson.doctor.processes import START


def channels() -> list[Finding]:
    try:
        found = config.read().channels
    except config.BadConfig as problem:
        advice = "Correct it: until then no alarm is told."
        return [failed("channels", str(problem), advice)]
    if not found:
        advice = f"Set {config.URLS} to where you want to hear of it, and try that: `robson alarms --test`."
        return [warning("channels", "there is none: nobody hears of trouble", advice)]
    return [ok("channels", ", ".join(channel.shown for channel in found))]


def process() -> list[Finding]:
    part = health.alarms(timezone.now())
    return [ok("alarms", part.detail) if part.ready else failed("alarms", part.detail, START)]


def open_alarms() -> list[Finding]:
    """What is wrong by the book of alarms; it may know of more than one look can find."""
    found = Alarm.objects.filter(lasting=True, cleared_at__isnull=True).order_by("raised_at", "id")
    return [_told(alarm) for alarm in found] or [ok("open alarms", "there is none")]


def _told(alarm: Alarm) -> Finding:
    judge = failed if alarm.severity == Severity.CRITICAL else warning
    detail = f"{alarm.kind}, {alarm.subject}: {alarm.text} (since {alarm.raised_at:%Y-%m-%d %H:%M} UTC)"
    return judge("open alarms", detail, alarm.to_do or "See `robson alarms`.")


CHECKS = (
    Check("channels", channels),
    Check("alarms", process, needs=("database", "migrations")),
    Check("open alarms", open_alarms, needs=("database", "migrations")),
)
