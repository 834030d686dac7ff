"""What a message says, alone and in a burst."""

from datetime import UTC, datetime, timedelta

from robson.alarms.kinds import Kind, Severity
from robson.alarms.messages import MOST_LISTED, message_of
from robson.alarms.models import Alarm, Telling

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def telling(number: int, about: str = "begun", *, severity: Severity = Severity.CRITICAL) -> Telling:
    over = about == "over"
    alarm = Alarm(
        id=number,
        lasting=True,
        kind=Kind.EXIT_FAILING,
        severity=severity,
        subject=f"PAIR{number} Long",
        text="It fails.",
        to_do="Look.",
        account="main",
        intent_id=9,
        raised_at=NOON,
        cleared_at=NOON + timedelta(minutes=5) if over else None,
    )
    return Telling(id=number * 10 + over, alarm=alarm, about=about)


def test_one_alarm_says_what_is_known_what_to_do_and_since_when() -> None:
    message = message_of([telling(1)])
    assert message.title == "Robson: CRITICAL exit failing: PAIR1 Long"
    assert message.body.splitlines() == [
        "It fails.",
        "What to do: Look.",
        "since 2026-03-02 12:00:00 UTC | account main, order 9 | alarm 1",
    ]
    assert (message.severity, message.good) == (Severity.CRITICAL, False)


def test_what_is_over_says_how_long_it_lasted_and_asks_for_nothing() -> None:
    message = message_of([telling(1, "over")])
    assert message.title == "Robson: over: exit failing: PAIR1 Long"
    assert "What to do" not in message.body
    assert "over after 5 min" in message.body
    assert message.good


def test_a_burst_is_one_message_that_lists_the_loudest_first() -> None:
    message = message_of([telling(1, severity=Severity.INFO), telling(2), telling(3)])
    assert message.title == "Robson: 3 messages, 2 critical"
    assert [line.partition(".")[0] for line in message.body.splitlines()] == [
        "- CRITICAL exit failing: PAIR2 Long",
        "- CRITICAL exit failing: PAIR3 Long",
        "- exit failing: PAIR1 Long",
    ]


def test_an_alarm_that_began_and_ended_before_it_could_be_told_is_told_as_over() -> None:
    message = message_of([telling(1), telling(1, "over")])
    assert message.title == "Robson: over: exit failing: PAIR1 Long"


def test_a_flood_says_how_many_are_not_listed() -> None:
    message = message_of([telling(number) for number in range(1, MOST_LISTED + 8)])
    assert message.title.startswith(f"Robson: {MOST_LISTED + 7} messages")
    assert len(message.body.splitlines()) == MOST_LISTED + 1
    assert message.body.splitlines()[-1].startswith("... and 7 more")
