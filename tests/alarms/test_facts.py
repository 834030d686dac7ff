"""Which events of the log the owner hears of, and how they are put."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from robson.alarms import facts
from robson.alarms.facts import Fact, alarm_of
from robson.alarms.kinds import Kind, Severity
from safetynet import guarding
from trading.domain.events import EventKind

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def fact(kind: str, **data: Any) -> Fact:
    return Fact(id=7, kind=kind, at=NOON, account="main", slot="BTCUSDT Long", position_id=3, data=data)


@pytest.mark.parametrize(
    ("event", "kind", "severity", "says"),
    [
        (
            fact("position.closed", price="61000", quantity="0.01", reason="trailing stop", pnl="8.5"),
            Kind.EXIT_EXECUTED,
            Severity.INFO,
            "Closed 0.01 at 61000 (trailing stop), result 8.5.",
        ),
        (
            fact("position.closed", quantity="0", reason="trailing stop: found flat"),
            Kind.RECONCILIATION,
            Severity.WARNING,
            "found nothing left",
        ),
        (
            fact("position.closed", price="61000", reason="closed outside Robson", orders=["1"]),
            Kind.RECONCILIATION,
            Severity.WARNING,
            "closed outside Robson at 61000",
        ),
        (fact("position.missing", missing="0.002"), Kind.RECONCILIATION, Severity.WARNING, "0.002 less"),
        (
            fact("position.reduced", before="0.01", quantity="0.004", price="61000"),
            Kind.RECONCILIATION,
            Severity.WARNING,
            "from 0.01 to 0.004 at 61000",
        ),
        (
            fact("guard.closed", price="58000", quantity="0.5", reason="safety stop"),
            Kind.EXIT_EXECUTED,
            Severity.WARNING,
            "The Safety Net closed 0.5 at 58000",
        ),
        (fact("guard.closed", reason="gone without a trade"), Kind.RECONCILIATION, Severity.WARNING, "gone"),
        (fact("intent.dust", executed_quantity="0.3"), Kind.DUST, Severity.INFO, "After 0.3"),
        (fact("position.cancelled", error="no money"), Kind.ENTRY_FAILED, Severity.WARNING, "no money"),
        (fact("position.disarmed", reason="the pair owes"), Kind.ENTRY_FAILED, Severity.WARNING, "owes"),
        (
            fact("position.failed", entry="60000", error="filled, but without a stop"),
            Kind.POSITION_ERROR,
            Severity.CRITICAL,
            "filled at 60000",
        ),
    ],
)
def test_what_the_owner_must_hear_of_is_an_alarm(
    event: Fact, kind: Kind, severity: Severity, says: str
) -> None:
    draft = alarm_of(event)
    assert draft is not None
    assert (draft.kind, draft.severity, draft.subject) == (kind, severity, "BTCUSDT Long")
    assert says in draft.text
    assert (draft.key, draft.lasting, draft.links.position_id) == ("event:7", False, 3)


@pytest.mark.parametrize(
    "event",
    [
        fact("position.armed"),
        fact("position.stop_raised", stop="1"),
        fact("position.closed", reason="seen to", by="ada"),
        fact("position.disarmed", reason="changed my mind", by="ada"),
        fact("guard.closed", reason="closed by hand", price="1"),
        fact("guard.opened"),
        fact("intent.settled"),
    ],
)
def test_what_the_owner_did_himself_and_the_usual_run_of_things_are_not(event: Fact) -> None:
    assert alarm_of(event) is None


def test_a_ban_lasts_until_the_exchange_says_and_is_one_alarm_for_all_who_meet_it() -> None:
    until = NOON + timedelta(minutes=3)
    first, second = (
        alarm_of(Fact(number, EventKind.EXCHANGE_BANNED, NOON, "main", data=told))
        for number, told in [(1, {"until": until.isoformat(), "http_status": 418}), (2, {})]
    )
    assert first is not None
    assert second is not None
    assert first.key == second.key == "ban:main"
    assert (first.until, first.severity) == (until, Severity.CRITICAL)
    assert "HTTP 418" in first.text
    assert second.until == NOON + facts.UNKNOWN_BAN


def test_an_event_that_says_what_nobody_expected_is_told_all_the_same() -> None:
    draft = alarm_of(fact("intent.dust", executed_quantity="a lot"))
    assert draft is not None
    assert "Event 7 (intent.dust) cannot be put into words" in draft.text


def test_reasons_are_spelt_as_the_safety_net_spells_them() -> None:
    assert (facts.BY_OWNER, facts.GONE) == (guarding.BY_HAND, guarding.GONE)
