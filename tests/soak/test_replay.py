"""Events told again must lead to the state of their row."""

import pytest

from tests.soak import replay


def test_a_whole_life_leads_to_its_end() -> None:
    told = ["position.armed", "position.entering", "position.activated", "position.stop_raised"]
    assert replay.position(told) == "active"
    assert replay.position([*told, "position.exit_requested", "position.closed"]) == "closed"


def test_an_intent_may_be_retried_and_looked_up() -> None:
    told = ["intent.claimed", "intent.sent", "intent.unknown", "intent.retried", "intent.sent"]
    assert replay.intent(told) == "sending"
    assert replay.intent([*told, "intent.filled", "intent.settled"]) == "done"


def test_a_guard_may_be_recomputed_before_it_ends() -> None:
    assert replay.guard(["guard.opened", "guard.recomputed", "guard.released"]) == "released"


@pytest.mark.parametrize(
    "told",
    [
        [],
        ["position.entering"],
        ["position.armed", "position.armed"],
        ["position.armed", "position.closed"],
        ["position.armed", "position.entering", "position.activated", "position.activated"],
    ],
)
def test_a_story_that_no_table_allows_is_refused(told: list[str]) -> None:
    with pytest.raises(ValueError, match=r"begins with|second time|cannot follow"):
        replay.position(told)
