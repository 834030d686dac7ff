"""What moves and has colours is for terminals; what is written elsewhere is plain and whole."""

import threading
from collections.abc import Sequence
from io import StringIO

import pytest
from django.core.management import call_command

from tests import factories
from tests.trading.world import until
from trading.domain.lifecycle import IntentState
from trading.management import exit_progress, screen

LONG = "a sentence that is much too long for one line of forty columns, and then some more"


class Terminal(StringIO):
    """A screen that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def shown(rows: Sequence[Sequence[str]], columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    on = Terminal()
    screen.console(on).print(screen.Facts(rows))
    return on.getvalue().splitlines()


def test_work_that_takes_long_is_shown_on_a_terminal_and_gone_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(screen, "PATIENCE_S", 0.0)
    on = Terminal()
    with screen.working("asking the exchange", on=on):
        until(lambda: "asking the exchange" in on.getvalue())
    assert on.getvalue().endswith(("\x1b[2K", "\x1b[?25h"))


def test_work_that_is_quick_does_not_flicker() -> None:
    on = Terminal()
    with screen.working("asking the exchange", on=on):
        pass
    assert "asking" not in on.getvalue()


@pytest.mark.parametrize("on", [StringIO(), Terminal()])
def test_work_is_not_shown_in_a_pipe_or_on_a_dumb_terminal(
    on: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(screen, "PATIENCE_S", 0.0)
    with screen.working("asking", on=on), screen.counting("looking", on=on) as told:
        told(1, 2)
    assert on.getvalue() == ""


def test_counting_shows_how_much_is_done() -> None:
    on = Terminal()
    with screen.counting("looking", on=on) as told:
        told(3, 7)
        until(lambda: "3/7" in on.getvalue())


def test_facts_stand_in_columns_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown([("size", "big"), ("colour", "red")], 80, monkeypatch)[1].startswith("colour  red")


def test_facts_are_broken_between_words_and_below_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for columns in (20, 40, 60):
        lines = shown([("a name of some length", LONG)], columns, monkeypatch)
        assert " ".join(" ".join(lines).split()) == f"a name of some length {LONG}"
        assert max(map(len, lines)) <= columns


def test_what_people_wrote_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[red]news[/]" in shown([("reason", "[red]news[/]")], 80, monkeypatch)[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("variables", "options", "coloured"),
    [
        ({}, {}, True),
        ({"NO_COLOR": "1"}, {}, False),
        ({}, {"no_color": True}, False),
        ({"NO_COLOR": "1"}, {"force_color": True}, True),
    ],
)
def test_colours_can_be_had_off(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: dict[str, bool], coloured: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    factories.core_position()
    on = Terminal()
    call_command("positions", stdout=on, **options)
    # Red, green and the like begin with 3, 4, 9 or 10; bold and reverse stay.
    assert ("\x1b[1;37;41m" in on.getvalue()) is coloured
    assert "NOBODY" in on.getvalue()


@pytest.mark.django_db
def test_nothing_but_text_goes_into_a_pipe() -> None:
    factories.core_position()
    out = StringIO()
    call_command("positions", stdout=out)
    assert "\x1b" not in out.getvalue()
    assert all(line == line.rstrip() for line in out.getvalue().splitlines())


@pytest.mark.django_db
def test_exits_are_followed_on_a_terminal_until_they_are_settled() -> None:
    intent = factories.intent(factories.slot())
    on = Terminal()
    with exit_progress.following(on) as progress:
        progress.show([intent])
        until(lambda: "waiting for a worker" in on.getvalue())
        intent.state, intent.attempts_made, intent.executed_quantity = IntentState.DONE, 2, intent.quantity
        progress.say("No worker took it.")
        progress.show([intent])
        until(lambda: "0.01 of 0.01, 2 attempts" in on.getvalue())
    assert on.getvalue().endswith("No worker took it.\n")


@pytest.mark.django_db
def test_a_terminal_that_takes_nothing_holds_no_exit_up() -> None:
    """Ctrl-S stops a terminal, and whoever writes to it waits."""
    stopped, go_on = threading.Event(), threading.Event()

    class Stopped(Terminal):
        def write(self, text: str, /) -> int:
            if "of 0.01" in text:
                stopped.set()
                go_on.wait(30)
            return super().write(text)

    intent = factories.intent(factories.slot())
    with exit_progress.following(Stopped()) as progress:
        progress.show([intent])
        assert stopped.wait(10)
        progress.show([intent])
        progress.say("The exit goes on.")
        # It came here: nothing above waited for the terminal.
        go_on.set()


@pytest.mark.django_db
def test_a_terminal_that_is_gone_calls_no_exit_off() -> None:
    class Gone(Terminal):
        def write(self, text: str, /) -> int:
            raise OSError("no such terminal")

    intent = factories.intent(factories.slot())
    with exit_progress.following(Gone()) as progress:
        progress.show([intent])
