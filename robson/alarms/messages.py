"""What is sent: one message for one alarm, or one that lists all that have come together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from robson.alarms.kinds import Severity
from robson.alarms.models import Alarm, Telling

MOST_LISTED = 25
About = Telling.About


@dataclass(frozen=True, slots=True)
class Message:
    """For people. `good`: nothing in it is new trouble."""

    title: str
    body: str
    severity: Severity
    good: bool = False


def message_of(tellings: Sequence[Telling]) -> Message:
    """All of these in one message, the loudest first. What is over by now is told as over only."""
    latest = _latest_by_alarm(tellings)
    severity = max((Severity(one.alarm.severity) for one in latest), key=lambda each: each.rank)
    good = all(one.about == About.OVER for one in latest) or severity is Severity.INFO
    if len(latest) == 1:
        (one,) = latest
        return Message(
            f"Robson: {_title(one)}", _whole(one.alarm, over=one.about == About.OVER), severity, good
        )
    critical = sum(one.alarm.severity == Severity.CRITICAL and one.about != About.OVER for one in latest)
    count = f"{len(latest)} messages" + (f", {critical} critical" if critical else "")
    return Message(f"Robson: {count}", _list(latest), severity, good)


def since(alarm: Alarm) -> str:
    """When it was, and how long it lasted."""
    begun = f"{alarm.raised_at:%Y-%m-%d %H:%M:%S} UTC"
    if alarm.lasting and alarm.cleared_at is not None:
        return f"{begun}, over after {_lasted(alarm.cleared_at - alarm.raised_at)}"
    return f"since {begun}" if alarm.lasting else begun


def links(alarm: Alarm) -> str:
    """What it is about, by number."""
    named = {
        "account": alarm.account,
        "position": alarm.position_id,
        "guard": alarm.guard_id,
        "order": alarm.intent_id,
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value)


def _latest_by_alarm(tellings: Sequence[Telling]) -> list[Telling]:
    latest = {one.alarm_id: one for one in sorted(tellings, key=lambda one: one.pk)}
    return sorted(latest.values(), key=lambda one: (-Severity(one.alarm.severity).rank, one.pk))


def _title(one: Telling) -> str:
    alarm = one.alarm
    name = f"{alarm.kind}: {alarm.subject}" if alarm.subject else alarm.kind
    prefix = {About.BEGUN: "", About.WORSE: "worse: ", About.STILL: "still: ", About.OVER: "over: "}[
        About(one.about)
    ]
    loud = "CRITICAL " if alarm.severity == Severity.CRITICAL and one.about != About.OVER else ""
    return f"{loud}{prefix}{name}"


def _whole(alarm: Alarm, *, over: bool) -> str:
    told = [alarm.text]
    if alarm.to_do and not over:
        told.append(f"What to do: {alarm.to_do}")
    told.append(" | ".join(filter(None, [since(alarm), links(alarm), f"alarm {alarm.pk}"])))
    return "\n".join(told)


def _list(latest: Sequence[Telling]) -> str:
    lines = [f"- {_title(one)}. {one.alarm.text} ({since(one.alarm)})" for one in latest[:MOST_LISTED]]
    if len(latest) > MOST_LISTED:
        lines.append(f"... and {len(latest) - MOST_LISTED} more: `robson alarms --all` lists them.")
    return "\n".join(lines)


def _lasted(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    minutes, hours = seconds // 60, seconds // 3600
    if seconds < 120:
        return f"{seconds} s"
    return f"{minutes} min" if minutes < 120 else f"{hours} h {minutes % 60} min"
