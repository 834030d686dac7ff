"""What a viewer is sent: everything at first, then what differs, and nothing when nothing does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.utils.safestring import mark_safe

from robson.desk.messages import change, event
from robson.desk.picture import Picture

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HTML = mark_safe("<p>")
PICTURE = Picture(
    at=NOW,
    title="All well",
    mood="calm",
    unprotected=(),
    pieces={"summary": HTML, "alarm": HTML},
    rows={"core-1": HTML, "core-2": HTML},
    facts={"core-1": HTML},
    marks={"core-1": {"price": "5", "at_ms": 1, "turn": "active"}},
)
OTHER = mark_safe("<b>")


def later(**fields: object) -> Picture:
    return replace(PICTURE, at=NOW + timedelta(seconds=1), **fields)  # type: ignore[arg-type]


def test_the_first_message_holds_everything() -> None:
    told = change(None, PICTURE)
    assert told["rows"] == PICTURE.rows
    assert told["pieces"] == PICTURE.pieces
    assert (told["order"], told["title"], told["unprotected"]) == (["core-1", "core-2"], "All well", ())


def test_nothing_is_told_when_only_time_has_passed() -> None:
    assert change(PICTURE, later()) == {}
    assert change(PICTURE, later(), "core-1") == {}


def test_only_the_row_that_has_changed_is_told() -> None:
    told = change(PICTURE, later(rows={"core-1": HTML, "core-2": OTHER}))
    assert told == {"rows": {"core-2": OTHER}, "at": "2026-03-02T12:00:01+00:00"}


def test_a_row_that_is_gone_is_told_by_the_order() -> None:
    assert change(PICTURE, later(rows={"core-2": HTML}))["order"] == ["core-2"]


def test_the_page_of_one_position_hears_of_that_and_of_any_danger() -> None:
    told = change(PICTURE, later(rows={}, pieces={"summary": OTHER, "alarm": OTHER}), "core-1")
    assert set(told) == {"pieces", "at"}
    assert told["pieces"] == {"alarm": OTHER}


def test_a_position_that_is_not_open_any_more_has_no_facts() -> None:
    told = change(PICTURE, later(facts={}, marks={}), "core-1")
    assert (told["facts"], told["mark"]) == (None, None)


def test_an_event_is_one_line_of_data_whatever_it_holds() -> None:
    assert event("change", {"text": "a\nb"}) == b'event: change\ndata: {"text":"a\\nb"}\n\n'
