"""`robson explain`: what happened to a position, in order, and which layer said what."""

import argparse
from itertools import groupby
from typing import TypeVar

from django.core.management.base import CommandError, CommandParser
from django.db.models import Model, QuerySet
from django.utils import timezone
from rich.text import Text

from robson.story import Line, Story, story_of_guard, story_of_position
from safetynet.models import GuardedPosition
from trading.management.owner import REFUSED, OwnerCommand, chosen_accounts
from trading.models import Position

Row = TypeVar("Row", bound=Model)
STYLES = {"decided": "yellow", "sent": "cyan", "answered": "green"}


class Command(OwnerCommand):
    help = "Tell what happened to a position: what was known, decided, sent and answered, and by whom."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("position", help="its number, or a symbol for the latest one in it")
        parser.add_argument("--guard", action="store_true", help="a position that the Safety Net guards")

    def act(self, options: argparse.Namespace) -> None:
        story = self._story(options)
        if options.json:
            self.print_json(story.told())
            return
        self.say(f"{_title(story)}\n")
        self.say(f"{story.verdict.question}\n{story.verdict.answer}")
        for piece in story.verdict.evidence:
            self.say(f"  - {piece}")
        self.say("")
        self._tell(story)

    def _story(self, options: argparse.Namespace) -> Story:
        now = timezone.now()
        if options.guard:
            guards = GuardedPosition.objects.select_related("slot__account")
            return story_of_guard(_chosen(guards, options), now)
        return story_of_position(_chosen(Position.objects.select_related("slot__account"), options), now)

    def _tell(self, story: Story) -> None:
        if not story.lines:
            self.say("The event log tells nothing about it.")
        if story.cut:
            self.say(f"The log holds more: these are the last {len(story.lines)} lines.")
        for day, lines in groupby(story.lines, key=lambda line: f"{line.at:%Y-%m-%d}"):
            self.say(f"{day}, UTC")
            self.show_facts(_row(line) for line in lines)


def _chosen(rows: QuerySet[Row], options: argparse.Namespace) -> Row:
    """The row with this number, or the latest one with this symbol. Raises CommandError."""
    mine = rows.filter(slot__account__in=chosen_accounts(options.account)) if options.account else rows
    wanted = options.position.strip().upper()
    by = {"pk": int(wanted)} if wanted.isdecimal() and len(wanted) < 19 else {"slot__symbol": wanted}
    found = mine.filter(**by).order_by("-pk").first()
    if found is None:
        raise CommandError(_nothing(wanted, guard=options.guard), returncode=REFUSED)
    return found


def _nothing(wanted: str, *, guard: bool) -> str:
    if guard:
        return f"The Safety Net has never guarded {wanted}. `robson positions --all` lists what there is."
    return (
        f"Core has no position {wanted}. `robson positions --all` lists what there is; "
        "add --guard for one that the Safety Net guards."
    )


def _title(story: Story) -> str:
    return f"{story.kind} {story.id}  {story.symbol} {story.side} ({story.account}), {story.state}"


def _row(line: Line) -> list[str | Text]:
    ids = ", ".join(f"{name} {value}" for name, value in line.ids)
    what = Text.assemble(line.text, (f"  {ids}", "dim"))
    return [line.moment, _who(line), Text(line.act, STYLES.get(line.act, "")), what]


def _who(line: Line) -> str:
    return ", ".join(filter(None, (line.who, line.process)))
