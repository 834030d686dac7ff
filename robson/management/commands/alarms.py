"""`robson alarms`: what the owner was to hear of lately, and whether his channels work."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.forms.models import model_to_dict
from django.utils import timezone
from rich.text import Text

from robson import alarms, health
from robson.alarms import config, outbox
from robson.alarms.channels import AppriseChannel, SendError
from robson.alarms.kinds import Kind, Severity
from robson.alarms.messages import Message, since
from robson.alarms.models import Alarm
from trading.management.owner import REFUSED, OwnerCommand
from trading.models import Heartbeat

LAST, ALL = 10, 500
STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
TEST = Message(
    f"Robson: {Kind.TEST}",
    "`robson alarms --test` sends this. If you can read it, this channel works.",
    Severity.INFO,
    good=True,
)


class Command(OwnerCommand):
    help = "Show what is wrong now, and what was told lately; or try the channels."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help=f"the last {ALL} instead of {LAST}")
        parser.add_argument("--test", action="store_true", help="send one through each channel now")

    def act(self, options: argparse.Namespace) -> None:
        try:
            channels = config.read().channels
        except config.BadConfig as problem:
            raise CommandError(str(problem), returncode=REFUSED) from problem
        if options.test:
            self._test(channels, as_json=options.json)
        else:
            self._show(channels, options)

    def _test(self, channels: tuple[AppriseChannel, ...], *, as_json: bool) -> None:
        if not channels:
            raise CommandError(_no_channel(), returncode=REFUSED)
        with ThreadPoolExecutor(len(channels)) as threads:
            errors = list(threads.map(_try, channels))
        if as_json:
            self.print_json(
                [
                    {"channel": channel.shown, "least": channel.least, "error": error}
                    for channel, error in zip(channels, errors, strict=True)
                ]
            )
        else:
            for channel, error in zip(channels, errors, strict=True):
                self.say(f"{channel.shown}: {error or 'went through'}")
        if any(errors):
            raise CommandError(
                f"{sum(map(bool, errors))} of {len(errors)} channels failed.", returncode=REFUSED
            )

    def _show(self, channels: tuple[AppriseChannel, ...], options: argparse.Namespace) -> None:
        chosen = alarms.recent(ALL if options.all else LAST)
        found = [one for one in chosen if options.account in {None, one.account}]
        waiting = outbox.waiting([channel.name for channel in channels])
        if options.json:
            told = [
                {"channel": one.shown, "least": one.least, "waiting": waiting[one.name]} for one in channels
            ]
            self.print_json({"alarms": [_told(alarm) for alarm in found], "channels": told})
            return
        if found:
            self.show_facts(_row(alarm) for alarm in found)
        else:
            self.say("No alarms.")
        self._say_of_channels(channels, waiting)

    def _say_of_channels(self, channels: tuple[AppriseChannel, ...], waiting: dict[str, int]) -> None:
        if not channels:
            self.say(_no_channel())
        failing = _failing()
        for channel in channels:
            least = "" if channel.least is Severity.INFO else f", {channel.least} only or louder"
            behind = f", {waiting[channel.name]} waiting" if waiting[channel.name] else ""
            error = f": FAILING, {failing[channel.name]}" if channel.name in failing else ""
            self.say(f"told to {channel.shown}{least}{behind}{error}")
        part = health.alarms(timezone.now())
        if not part.ready:
            self.say(f"NOBODY TELLS ALARMS: {part.detail}. Start `manage.py runalarms`.")


def _failing() -> dict[str, str]:
    """Why channels fail, by name, as of the last heartbeat of the process that tells alarms."""
    beat = Heartbeat.objects.filter(name=health.ALARMS).first()
    told = beat.data.get("channels", []) if beat else []
    return {one["name"]: one["error"] for one in told if one["error"]}


def _no_channel() -> str:
    return (
        f"No channel: set {config.URLS} to addresses of apprise, such as tgram://token/chat or "
        "mailto://user:password@host, and start the alarms again."
    )


def _try(channel: AppriseChannel) -> str:
    """Why it did not go through, or nothing."""
    try:
        channel.send(TEST)
    except SendError as error:
        return str(error)
    return ""


def _told(alarm: Alarm) -> dict[str, Any]:
    return model_to_dict(alarm, exclude=["holds_until", "remind_at", "lasting"]) | {"open": alarm.is_open}


def _row(alarm: Alarm) -> tuple[str | Text, ...]:
    loud = STYLES[Severity(alarm.severity)] if alarm.is_open or not alarm.lasting else "dim"
    known = f"{alarm.text} {alarm.to_do}" if alarm.is_open else alarm.text
    return str(alarm.pk), Text(alarm.kind, style=loud), alarm.subject, since(alarm), known
