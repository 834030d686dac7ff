"""`robson positions --watch`: a live view that outlives the database and leaves the terminal as it was."""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from robson.health import Part
from robson.holdings import holdings
from robson.management.sight import Report, Sight, SightView, look
from robson.management.watching import HANGS, Watch
from tests import factories
from tests.live import database_url, sessions_of_others
from tests.relay import Relay
from tests.terminal import HIDE_CURSOR, OTHER_SCREEN, ROBSON, SHOW_CURSOR, USUAL_SCREEN, OnTerminal
from tests.trading.support import PROJECT
from tests.trading.world import until
from trading.management import screen

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ELSEWHERE = {"BINANCE_API_URL": "http://127.0.0.1:9"}


@pytest.fixture
def left_alone(transactional_db: None) -> Iterator[None]:
    """Whatever the test started has left the database before that is removed."""
    yield
    until(lambda: sessions_of_others() == 0)


class Screen(StringIO):
    """A terminal that remembers what is drawn."""

    def isatty(self) -> bool:
        return True


def drawn(
    view: SightView, monkeypatch: pytest.MonkeyPatch, *, columns: int = 120, rows: int = 30
) -> list[str]:
    for name, value in {"COLUMNS": columns, "LINES": rows, "TERM": "xterm", "NO_COLOR": 1}.items():
        monkeypatch.setenv(name, str(value))
    on = Screen()
    screen.console(on).print(view, end="")
    return re.sub(r"\x1b\[[0-9;]*m", "", on.getvalue()).splitlines()


def seen(found: int = 0, *, ready: bool = True) -> Sight:
    """A sight with as many guards, at NOW, of parts that are well or not."""
    factories.everything_works(at=NOW, prices={"BTCUSDT": "60600"})
    for number in range(found):
        factories.guard(f"C{number}USDT", last_seen_at=NOW, last_price=Decimal(60_600))
    accounts = [factories.account()]
    parts = [Part("consumer", ready, "last heartbeat 90.0 s ago, older than 15 s", 90.0)]
    return Sight(NOW, holdings(accounts, now=NOW), parts)


@pytest.mark.django_db
def test_ages_go_on_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    view = SightView(Report(seen(1)), NOW + timedelta(seconds=7))
    text = "\n".join(drawn(view, monkeypatch))
    assert "60600 (7 s, poll)" in text
    assert "consumer 97 s" in text


@pytest.mark.django_db
def test_without_an_answer_it_says_since_when_and_shows_what_was_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = SightView(Report(seen(1), "The database does not answer."), NOW + timedelta(seconds=9))
    text = "\n".join(drawn(view, monkeypatch))
    assert "no answer since 12:00:00 UTC, 9 s ago" in text
    assert "The database does not answer." in text
    assert "C0USDT" in text
    assert "consumer 99 s" not in text


def test_before_the_first_answer_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "looking ..." in drawn(SightView(Report(), NOW), monkeypatch)
    text = "\n".join(drawn(SightView(Report(trouble="Away."), NOW), monkeypatch))
    assert "no answer yet" in text


@pytest.mark.django_db
def test_what_is_without_protection_comes_first_and_is_named_above(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.guard("ZRXUSDT", last_seen_at=NOW - timedelta(seconds=300))
    one = seen(2)
    lines = drawn(SightView(Report(one), NOW), monkeypatch)
    rows = [line for line in lines if line.startswith("guard")]
    assert "ZRXUSDT" in rows[0]
    assert any("1 without protection" in line and "ZRXUSDT long" in line for line in lines)


@pytest.mark.django_db
def test_a_part_that_fails_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(drawn(SightView(Report(seen(ready=False)), NOW), monkeypatch))
    assert "consumer: last heartbeat 90.0 s ago, older than 15 s" in text


@pytest.mark.django_db
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_nothing_is_silently_cut_off_at_the_bottom(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    view = SightView(Report(seen(20)), NOW)
    lines = drawn(view, monkeypatch, columns=columns, rows=12)
    assert len(lines) == 12
    assert "more lines do not fit" in lines[-1]
    assert all(len(line) <= columns for line in lines)


@pytest.mark.django_db
def test_few_columns_get_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(SightView(Report(seen(1)), NOW), monkeypatch, columns=40)
    assert any("C0USDT long guarding (main)" in line for line in lines)
    assert any("Safety Net, fixed stop" in line for line in lines)


@pytest.mark.usefixtures("left_alone")
def test_a_look_that_fails_keeps_the_last_one_and_the_next_replaces_it() -> None:
    factories.guard("ETHUSDT")
    away = [False]

    def glance() -> Sight:
        if away[0]:
            raise OperationalError("the server went away")
        return look(None)

    watch = Watch(glance, every_s=0.05)
    first = until(lambda: watch.report().sight)
    away[0] = True
    assert "server went away" in until(lambda: watch.report().trouble)
    assert watch.report().sight is not None
    away[0] = False
    until(lambda: not watch.report().trouble)
    last = watch.report().sight
    assert first is not None
    assert last is not None
    assert last.at > first.at
    # No look is left under way in a database that is about to be removed.
    away[0] = True
    until(lambda: watch.report().trouble)


def test_a_database_that_hangs_is_told_and_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang() -> Sight:
        release.wait(30)
        return Sight(NOW, [], [])

    monkeypatch.setattr("robson.management.watching.OVERDUE_S", 0.1)
    watch = Watch(hang, every_s=0.05)
    assert until(lambda: watch.report().trouble) == HANGS
    release.set()
    assert until(lambda: watch.report().sight) is not None


def test_a_defect_is_not_taken_for_an_outage() -> None:
    def broken() -> Sight:
        raise KeyError("defect")

    watch = Watch(broken, every_s=0.05)
    with pytest.raises(KeyError):
        until(lambda: watch.report().sight)


@pytest.mark.django_db
def test_a_pipe_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(CommandError, match="add --json") as refused:
        call_command("positions", "--watch", stdout=StringIO())
    assert refused.value.returncode == 2


@pytest.mark.django_db
def test_an_account_that_is_not_there_is_told_at_once() -> None:
    factories.account()
    with pytest.raises(CommandError, match="There is no account"):
        call_command("positions", "--watch", "--json", "--account", "nobody", stdout=StringIO())


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "1e9", "nan"])
def test_seconds_that_make_no_sense_are_refused(seconds: str) -> None:
    with pytest.raises(CommandError, match="must be a number of seconds from"):
        call_command("positions", f"--watch={seconds}", stdout=StringIO())


@pytest.fixture
def way(left_alone: None) -> Iterator[Relay]:
    """A way to the database that can be cut."""
    connection.ensure_connection()
    place = connection.connection.info
    local = f"{place.host}/.s.PGSQL.{place.port}"
    with Relay(local if place.host.startswith("/") else (place.host, place.port)) as relay:
        yield relay


def test_it_goes_on_through_an_outage_and_ctrl_c_is_its_good_end(way: Relay) -> None:
    factories.guard("ETHUSDT")
    here = urlsplit(database_url())
    login = here.netloc.partition("@")[0]
    url = f"postgresql://{login}@127.0.0.1:{way.port}{here.path}"
    process = subprocess.Popen(
        [*ROBSON, "positions", "--watch", "0.2", "--json"],
        cwd=PROJECT,
        env={**os.environ, **ELSEWHERE, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = (json.loads(line) for line in process.stdout)
    assert next(lines)["positions"][0]["symbol"] == "ETHUSDT"
    way.cut()
    assert "does not answer" in next(line["error"] for line in lines if "error" in line)
    way.mend()
    assert next(line for line in lines if "positions" in line)["positions"][0]["symbol"] == "ETHUSDT"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.usefixtures("left_alone")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_draws_on_the_other_screen_and_gives_the_terminal_back(number: signal.Signals, code: int) -> None:
    factories.guard("ETHUSDT")
    environment = {**ELSEWHERE, "DATABASE_URL": database_url()}
    with OnTerminal([*ROBSON, "positions", "--watch", "0.2"], environment) as terminal:
        terminal.until("ETHUSDT")
        terminal.until("Ctrl-C ends")
        terminal.process.send_signal(number)
        assert terminal.ended() == code
    assert terminal.drawn.count(OTHER_SCREEN) == terminal.drawn.count(USUAL_SCREEN) == 1
    assert terminal.drawn.rindex(USUAL_SCREEN) > terminal.drawn.rindex("Ctrl-C ends")
    assert terminal.drawn.rindex(SHOW_CURSOR) > terminal.drawn.rindex(HIDE_CURSOR)
    assert "Traceback" not in terminal.drawn
