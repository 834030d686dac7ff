"""What events say: every kind has a sentence, and none breaks on what an event leaves out."""

import pytest

from robson.story.line import Act
from robson.story.sentences import SENTENCES, say
from robson.story.telling import process_of
from trading.domain.events import EventKind


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_a_sentence_even_without_data(kind: EventKind) -> None:
    assert kind in SENTENCES
    _, text = say(kind, {})
    assert text
    assert "{" not in text
    assert not text.endswith((":", ",", " "))


def test_a_part_whose_value_is_not_there_is_left_out() -> None:
    assert say(
        "position.closed", {"reason": "closed outside Robson", "price": "5", "orders": ["7", "8"]}
    ) == (
        Act.KNOWN,
        "Closed: closed outside Robson at 5, by the orders 7, 8",
    )


def test_a_kind_of_a_later_version_is_told_as_it_is() -> None:
    assert say("position.teleported", {"to": "mars"})[1] == "position.teleported: to mars"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("runconsumer:71", "consumer 71"),
        ("safetynet:72", "worker safetynet 72"),
        ("robson.asgi:application:73", "web 73"),
        ("panic:74", "panic 74"),
        ("", ""),
    ],
)
def test_processes_are_named_as_people_call_them(source: str, said: str) -> None:
    assert process_of(source) == said


def test_an_average_is_told_with_as_many_digits_as_people_read() -> None:
    told = say("position.entering", {"price": "60035", "fast": "59810.77222222222222", "slow": "59800.5"})[1]
    assert "fast average 59810.77222222, slow 59800.5" in told
