"""A log line, as people and as machines read it."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from robson import logs, redaction
from tests import factories
from tests.trading.support import PROJECT
from trading.logcontext import about, known, process_name

CONSOLE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def record(message: str = "closed at %s", *arguments: object, **details: Any) -> logging.LogRecord:
    made = logging.LogRecord("trading.settling", logging.INFO, "f.py", 1, message, arguments or (5,), None)
    made.created, made.msecs = 1_772_452_800.123, 123.0
    for name, value in details.items():
        setattr(made, name, value)
    assert logs.NameSubject().filter(made)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    text = logs.JsonFormatter().format(made)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_json_tells_when_what_and_by_which_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBSON_PROCESS", "exits")
    assert as_json(record()) == {
        "time": "2026-03-02T12:00:00.123Z",
        "level": "INFO",
        "logger": "trading.settling",
        "process": "exits",
        "message": "closed at 5",
    }


def test_the_console_line_stays_as_people_know_it() -> None:
    text = logs.UtcFormatter(CONSOLE).format(record())
    assert text == "2026-03-02 12:00:00.123Z INFO    trading.settling: closed at 5"


@pytest.mark.django_db
def test_lines_name_what_is_being_worked_on_and_nothing_afterwards() -> None:
    position = factories.core_position()
    intent = factories.intent(position.slot, position=position)
    with about(factories.account()), about(intent, attempt=2):
        found = as_json(record())
    ids = {name: found[name] for name in ("account", "symbol", "position_id", "intent_id", "attempt")}
    assert ids == {
        "account": "main",
        "symbol": "BTCUSDT",
        "position_id": position.pk,
        "intent_id": intent.pk,
        "attempt": 2,
    }
    assert "guard_id" not in found
    assert known() == {}


@pytest.mark.django_db
def test_naming_a_position_asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    position = type(factories.core_position()).objects.select_related("slot").get()
    with django_assert_num_queries(0), about(position):
        assert known() == {"account": None, "symbol": "BTCUSDT", "position_id": position.pk}


def test_an_exception_stays_on_the_line_and_strangers_fields_are_left_out() -> None:
    try:
        raise ValueError("no such pair")
    except ValueError:
        made = record(color_message="\x1b[1m", data=object())
        made.exc_info = sys.exc_info()
        found = as_json(made)
    assert found["exception"].splitlines()[-1] == "ValueError: no such pair"
    assert {"color_message", "data"}.isdisjoint(found)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["manage.py", "runconsumer"], "runconsumer"),
        (["/bin/celery", "-A", "robson", "--quiet", "beat", "--loglevel", "INFO"], "beat"),
        (["/bin/robson"], "robson"),
    ],
)
def test_a_process_is_named_by_its_command_unless_told(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.delenv("ROBSON_PROCESS", raising=False)
    monkeypatch.setattr(sys, "argv", arguments)
    assert process_name() == told
    monkeypatch.setenv("ROBSON_PROCESS", "by-hand")
    assert process_name() == "by-hand"


def test_a_format_that_is_not_known_stops_the_start() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import robson.settings"],
        cwd=PROJECT,
        env={"PATH": "", "ROBSON_LOG_FORMAT": "xml", "ROBSON_HOME": "/tmp"},  # noqa: S108 (nothing is written)
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ROBSON_LOG_FORMAT must be one of console, json, not 'xml'" in done.stderr


ENVIRONMENT = {
    "BINANCE_API_KEY": "kkkkkkkkkkkk",
    "MAIN_SECRET": "ssss+ss/ss==",
    "DATABASE_URL": "postgresql://robson:pppp%21pppp@db:5432/robson",
    "FLOWER_BASIC_AUTH": "robson:ffffffffff",
    "ROBSON_TOKEN": "short",
    "HARMLESS": "BTCUSDT long",
}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key kkkkkkkkkkkk refused", "key [secret] refused"),
        ("with ssss+ss/ss==", "with [secret]"),
        ("password pppp%21pppp or pppp!pppp", "password [secret] or [secret]"),
        ("login ffffffffff", "login [secret]"),
        ("redis://:another-one@redis:6379/0", "redis://:[secret]@redis:6379/0"),
        ("GET /x?symbol=BTC&signature=0123456789abcdef HTTP", "GET /x?symbol=BTC&signature=[secret] HTTP"),
        ('{"listenToken": "0123456789abcdef"}', '{"listenToken": "[secret]"}'),
        ("BTCUSDT long: short of 5 coins", "BTCUSDT long: short of 5 coins"),
        ("at http://127.0.0.1:8000/ and user@host", "at http://127.0.0.1:8000/ and user@host"),
    ],
)
def test_secrets_are_taken_out_whoever_wrote_them(text: str, hidden: str) -> None:
    assert redaction.hiding(ENVIRONMENT)(text) == hidden


def test_without_secrets_nothing_is_taken_out() -> None:
    assert redaction.hiding({})("BTCUSDT long") == "BTCUSDT long"
