"""Which states the owner hears of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from robson.alarms import states
from robson.alarms.draft import Draft, Links
from robson.alarms.kinds import Kind, Severity
from robson.alarms.states import About, Exit, Missing, Poll, Sight, Unprotected, alarms_in

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CORE = About("main", "BTCUSDT Long", Links(position_id=3, intent_id=9))
GUARD = About("main", "ETHUSDT Short", Links(guard_id=4))


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


WELL = Sight(
    at=NOON,
    poll_late=timedelta(seconds=30),
    consumer_beat=ago(2),
    polls=(Poll("main", ago(20), 0, "", "safetynet"),),
    exits=(Exit(CORE, ago(5), 2, False, "busy"),),
    missing=(Missing(CORE, ago(60)),),
)
FAILING = Exit(CORE, ago(5), 3, False, "-2010 no balance")


def only(sight: Sight) -> Draft:
    (draft,) = alarms_in(sight)
    return draft


def test_nothing_is_told_while_all_is_well() -> None:
    assert alarms_in(WELL) == []


@pytest.mark.parametrize(
    ("change", "kind", "severity", "key", "says"),
    [
        ({"consumer_beat": ago(6.1)}, Kind.CONSUMER_DEAD, Severity.CRITICAL, "consumer", "since 11:59:53"),
        ({"consumer_beat": None}, Kind.CONSUMER_DEAD, Severity.CRITICAL, "consumer", "ever"),
        ({"silent": ("BTCUSDT",)}, Kind.FEED_STALE, Severity.WARNING, "feed:BTCUSDT", "REST"),
        (
            {"polls": (Poll("main", ago(31), 0, "", "runconsumer"),)},
            Kind.POLL_LATE,
            Severity.WARNING,
            "poll:main",
            "which runconsumer ran",
        ),
        ({"polls": (Poll("main", None, 0, "", ""),)}, Kind.POLL_LATE, Severity.WARNING, "poll:main", "yet"),
        (
            {"polls": (Poll("main", ago(1), 3, "banned", ""),)},
            Kind.POLL_LATE,
            Severity.WARNING,
            "poll:main",
            "3 polls in a row have failed: banned",
        ),
        ({"exits": (FAILING,)}, Kind.EXIT_FAILING, Severity.WARNING, "exit:9", "-2010 no balance"),
        (
            {"exits": (replace(FAILING, panicking=True),)},
            Kind.EXIT_FAILING,
            Severity.CRITICAL,
            "exit:9",
            "3 times",
        ),
        (
            {"exits": (Exit(CORE, ago(31), 0, False, ""),)},
            Kind.EXIT_FAILING,
            Severity.WARNING,
            "exit:9",
            "not done",
        ),
        (
            {"exits": (Exit(CORE, ago(91), 0, False, ""),)},
            Kind.EXIT_FAILING,
            Severity.CRITICAL,
            "exit:9",
            "not done",
        ),
        ({"touched": (GUARD,)}, Kind.EXIT_FAILING, Severity.CRITICAL, "exit of guard:4", "nobody has taken"),
        (
            {"unprotected": (Unprotected(GUARD, "the poll has never worked"),)},
            Kind.UNPROTECTED,
            Severity.CRITICAL,
            "unprotected:guard 4",
            "the poll has never worked",
        ),
        (
            {"missing": (Missing(CORE, ago(91)),)},
            Kind.RECONCILIATION,
            Severity.CRITICAL,
            "missing:core 3",
            "no trade tells why",
        ),
        (
            {"broker": "refused"},
            Kind.BROKER_AWAY,
            Severity.WARNING,
            "broker",
            "Redis does not answer: refused",
        ),
    ],
)
def test_each_state_that_the_owner_must_hear_of(
    change: dict[str, object], kind: Kind, severity: Severity, key: str, says: str
) -> None:
    draft = only(replace(WELL, **change))  # type: ignore[arg-type]
    assert (draft.kind, draft.severity, draft.key, draft.lasting) == (kind, severity, key, True)
    assert says in draft.text
    assert draft.to_do


def test_a_dead_consumers_last_word_about_its_feed_is_not_news() -> None:
    assert only(replace(WELL, consumer_beat=ago(60), silent=("BTCUSDT",))).kind is Kind.CONSUMER_DEAD


def test_a_touched_guard_is_given_the_time_of_a_claim() -> None:
    assert only(replace(WELL, touched=(GUARD,))).after == states.UNCLAIMED


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"consumer_beat": ago(-3600)}, Kind.CONSUMER_DEAD),
        ({"polls": (Poll("main", ago(-3600), 0, "", "safetynet"),)}, Kind.POLL_LATE),
        ({"exits": (Exit(CORE, ago(-3600), 0, False, ""),)}, Kind.EXIT_FAILING),
        ({"missing": (Missing(CORE, ago(-3600)),)}, Kind.RECONCILIATION),
    ],
)
def test_what_was_noted_before_the_clock_was_set_back_reassures_nobody(
    change: dict[str, Any], kind: Kind
) -> None:
    draft = only(replace(WELL, **change))
    assert draft.kind == kind
    assert "13:00:00 UTC, by a clock that was set back" in draft.text


def test_a_sign_of_life_of_a_host_whose_clock_is_a_little_ahead_is_one() -> None:
    assert alarms_in(replace(WELL, consumer_beat=ago(-5))) == []
