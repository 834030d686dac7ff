"""A channel is given a message at a time, not too often, and never waited for."""

import threading
import time

from robson.alarms import lines, pace
from robson.alarms.channels import apprise_channel
from robson.alarms.kinds import Severity
from robson.alarms.lines import Line, Outcome
from robson.alarms.messages import Message
from robson.alarms.pace import Pace
from tests.alarms.endpoint import Endpoint, wait_until

HELLO = Message("title", "body", Severity.WARNING)


def channel_at(address: str) -> Line:
    channel = apprise_channel(address, Severity.INFO)
    assert channel is not None
    return Line(channel)


def outcome_of(line: Line, now: float) -> Outcome:
    found: list[Outcome] = []

    def ended() -> bool:
        outcome = line.outcome(now)
        found.extend([outcome] if outcome else [])
        return bool(found)

    wait_until(ended, 10)
    return found[0]


def test_a_message_goes_through(endpoint: Endpoint) -> None:
    line = channel_at(endpoint.address)
    line.give(HELLO, (), 0.0)
    assert outcome_of(line, 1.0).error == ""
    (received,) = endpoint.messages
    assert (received.title, received.body, received.type) == ("title", "body", "warning")


def test_what_is_refused_is_a_failure_with_a_reason_and_the_next_waits_longer(endpoint: Endpoint) -> None:
    line = channel_at(endpoint.address)
    endpoint.status = 500
    waits = []
    for at in (0.0, 1_000.0, 2_000.0):
        line.give(HELLO, (), at)
        assert "500" in outcome_of(line, at).error
        waits.append(line.pace.next_at() - at)
    assert waits == [2.0, 4.0, 8.0]
    assert line.failing_since == 0.0
    endpoint.status = 200
    line.give(HELLO, (), 3_000.0)
    assert outcome_of(line, 3_000.0).error == ""
    assert line.failing_since is None


def test_giving_a_message_to_a_channel_that_hangs_takes_no_time(hanging_address: str) -> None:
    line = channel_at(hanging_address)
    began = time.monotonic()
    line.give(HELLO, (), 0.0)
    assert line.outcome(1.0) is None
    assert time.monotonic() - began < 1.0
    assert not line.is_free(1.0)
    assert "no answer" in (line.outcome(lines.HANGS_S) or Outcome(())).error


class Stuck:
    """A channel whose library never comes back, whatever time-outs it has been given."""

    name, shown, least = "stuck", "stuck://", Severity.INFO

    def __init__(self) -> None:
        self.release = threading.Event()

    def send(self, _message: Message) -> None:
        self.release.wait(30)


def test_threads_that_never_come_back_do_not_pile_up() -> None:
    stuck = Stuck()
    line, now = Line(stuck), 0.0
    for _ in range(lines.MOST_LEFT_BEHIND):
        assert line.is_free(now)
        line.give(HELLO, (), now)
        now += lines.HANGS_S
        assert line.outcome(now) is not None
        now = line.pace.next_at()
    assert not line.is_free(now)
    stuck.release.set()
    wait_until(lambda: line.is_free(now), 5)


def test_a_plugin_that_breaks_is_a_failure_and_nothing_else() -> None:
    class Broken(Stuck):
        def send(self, _message: Message) -> None:
            raise RuntimeError("token abcdef")

    line = Line(Broken())
    line.give(HELLO, (), 0.0)
    assert outcome_of(line, 0.0).error == "RuntimeError"


def test_the_first_message_goes_at_once_and_the_next_after_a_gap() -> None:
    quiet = Pace()
    assert quiet.next_at() == 0.0
    assert quiet.gave(100.0).ended(100.5, well=True).next_at() == 100.0 + pace.GAP_S


def test_a_busy_channel_speaks_once_a_minute_until_it_is_quiet_again() -> None:
    busy = Pace()
    for number in range(pace.BUSY_MESSAGES):
        busy = busy.gave(number * pace.GAP_S)
    last = busy.sent[-1]
    assert busy.next_at() == last + pace.BUSY_GAP_S
    much_later = last + pace.BUSY_WINDOW_S
    assert busy.gave(much_later).next_at() == much_later + pace.GAP_S


def test_a_failing_channel_is_tried_again_less_and_less_often_for_ever() -> None:
    failing = Pace()
    for number in range(1, 20):
        failing = failing.gave(1_000.0 * number).ended(1_000.0 * number, well=False)
    assert failing.next_at() - failing.sent[-1] == pace.LONGEST_BACKOFF_S
