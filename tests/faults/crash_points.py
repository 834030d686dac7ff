"""Where an exit can be killed: every step boundary of its protocol, by name.

A point is a function of Robson's, and whether its caller dies before or after it. Robson itself knows nothing
of this: `crash_arming` wraps the function from outside. A row is one point for each of those who exit, since
they go different ways in places.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Who = Literal["core", "safety_net", "operator"]
When = Literal["before", "after"]
EVERYBODY: tuple[Who, ...] = ("core", "safety_net", "operator")


@dataclass(frozen=True, slots=True)
class Point:
    """`at` is `module:attribute`: the first call of it counts that comes after the `nth` call of `since`.

    Without `since` it is the `nth` call of `at` itself. `trouble` (a name of `crash_cases.TROUBLES`) is what
    else goes wrong, so that the point is reached.
    """

    at: str
    when: When
    since: str = ""
    nth: int = 1
    trouble: str = ""


Row = Mapping[Who, Point]

_COMMIT = "django.db.backends.base.base:BaseDatabaseWrapper.commit"
_STATEMENT = "trading.single_statement:move_and_insert"
_LONG_WAY = "trading.execution:claim_and_begin"
_CLAIM = "trading.execution:claim"
_TAKE = "trading.execution:take"
_BEGIN = "trading.claims:begin_attempt"
_PAIRS = "trading.exchange.rest:BinanceMargin.margin_pairs"
_ANEW = "trading.execution:sign_anew"
_SEND = "trading.exchange.rest:BinanceMargin.send_market_order"
_ANSWER = "http.client:HTTPResponse.begin"
_FIND = "trading.evidence:find"
_RECORD = "trading.recording:executed"
_REFUSED = "trading.recording:not_executed"
_UNKNOWN = "trading.recording:unknown"
_NOT_YET = "trading.recording:not_found_yet"
_NEVER = "trading.recording:never_accepted"
_NOTHING = "trading.recording:nothing_sent"
_TELL = "safetynet.exclusions:_redis"
_TOLD = "redis:Redis.srem"
_LOOK_FOR_REST = "trading.execution:execute"


def _each(core: Point, safety_net: Point, operator: Point) -> Row:
    return {"core": core, "safety_net": safety_net, "operator": operator}


def _all(at: str, when: When, since: str = "", nth: int = 1) -> Row:
    return dict.fromkeys(EVERYBODY, Point(at, when, since, nth))


def _taking(at: str, when: When, since: str = "") -> Row:
    """The operator's first attempt is taken by a task; the others' second is, when the first was refused."""
    again = Point(at, when, since, trouble="refused")
    return _each(again, again, Point(at, when, since))


def _amid(trouble: str, **rows: Row) -> dict[str, Row]:
    return {
        f"{trouble}: {name.replace('_', ' ')}": {
            who: replace(point, trouble=trouble) for who, point in row.items()
        }
        for name, row in rows.items()
    }


POINTS: dict[str, Row] = {
    "before the claim": _each(
        Point(_STATEMENT, "before"), Point(_STATEMENT, "before"), Point(_CLAIM, "before")
    ),
    "claimed, before the commit": _each(
        # Core's own claim is one statement; the long way is taken when its row has moved.
        Point(_COMMIT, "before", since=_LONG_WAY, trouble="row moved"),
        Point(_COMMIT, "before", since=_STATEMENT),
        Point(_COMMIT, "before", since=_CLAIM),
    ),
    "claim committed": _each(
        Point(_STATEMENT, "after"),
        Point(_COMMIT, "after", since=_STATEMENT),
        Point(_COMMIT, "after", since=_CLAIM),
    ),
    "before taking": _taking(_TAKE, "before"),
    "taken, before the commit": _taking(_COMMIT, "before", since=_BEGIN),
    "taken": _taking(_COMMIT, "after", since=_BEGIN),
    # Who executes at once asks for them while the claim is being committed.
    "before the balances": _all(_PAIRS, "before"),
    "balances read": _all(_PAIRS, "after"),
    "before planning": _all("trading.planning:plan", "before"),
    "planned": _all("trading.planning:plan", "after"),
    "before the order": _all(_SEND, "before"),
    "order left": _all(_ANSWER, "before", since=_SEND),
    "answer on its way": _all(_ANSWER, "after", since=_SEND),
    "answer read": _all(_SEND, "after"),
    "fills known": _all("trading.fills:completed", "after"),
    "rest known": _all("trading.planning:left_after", "after"),
    "before the record": _all(_RECORD, "before"),
    "fills stored": _all("trading.fills:store", "after"),
    "before the settlement": _all("trading.recording:_end", "before"),
    "settled, before the commit": _all(_COMMIT, "before", since=_RECORD),
    "record committed": _all(_COMMIT, "after", since=_RECORD),
    # The Safety Net publishes nothing: what follows its record is the look for a rest.
    "before publishing": _each(
        Point(_TELL, "before", since=_RECORD),
        Point(_LOOK_FOR_REST, "before", since=_RECORD),
        Point(_TELL, "before", since=_RECORD),
    ),
    "published": _each(
        Point(_TOLD, "after", since=_RECORD),
        Point(_LOOK_FOR_REST, "after", since=_RECORD),
        Point(_TOLD, "after", since=_RECORD),
    ),
    "executor done": _all(_RECORD, "after"),
    **_amid(
        "refused",
        before_the_record=_all(_REFUSED, "before"),
        before_the_commit=_all(_COMMIT, "before", since=_REFUSED),
        recorded=_all(_COMMIT, "after", since=_REFUSED),
    ),
    **_amid(
        "answer lost",
        before_it_is_unknown=_all(_UNKNOWN, "before"),
        unknown_before_the_commit=_all(_COMMIT, "before", since=_UNKNOWN),
        unknown=_all(_COMMIT, "after", since=_UNKNOWN),
        before_the_look_up=_all(_FIND, "before"),
        found=_all(_FIND, "after"),
        found_before_the_commit=_all(_COMMIT, "before", since=_RECORD),
    ),
    **_amid(
        "fence far away",
        not_found=_all(_NOT_YET, "before"),
        not_found_yet=_all(_NOT_YET, "after"),
    ),
    **_amid(
        "order lost",
        before_it_is_given_up=_all(_NEVER, "before"),
        given_up_before_the_commit=_all(_COMMIT, "before", since=_NEVER),
        given_up=_all(_COMMIT, "after", since=_NEVER),
        before_the_second_order=_all(_SEND, "before", nth=2),
        second_answer_on_its_way=_all(_ANSWER, "after", since=_SEND, nth=2),
    ),
    **_amid(
        "slow balances",
        before_signing_anew=_all(_ANEW, "before"),
        signed_anew_before_the_commit=_all(_COMMIT, "before", since=_ANEW),
        signed_anew=_all(_COMMIT, "after", since=_ANEW),
    ),
    **_amid(
        "partly filled",
        before_the_commit=_all(_COMMIT, "before", since=_RECORD),
        rest_pending=_all(_COMMIT, "after", since=_RECORD),
        rest_taken=_each(
            Point(_COMMIT, "after", since=_BEGIN),
            Point(_COMMIT, "after", since=_BEGIN),
            Point(_COMMIT, "after", since=_BEGIN, nth=2),
        ),
        before_the_order_of_the_rest=_all(_SEND, "before", nth=2),
        answer_of_the_rest_on_its_way=_all(_ANSWER, "after", since=_SEND, nth=2),
        rest_before_the_commit=_all(_COMMIT, "before", since=_RECORD, nth=2),
        rest_recorded=_all(_COMMIT, "after", since=_RECORD, nth=2),
    ),
    **_amid(
        "already gone",
        before_the_record=_all(_NOTHING, "before"),
        before_the_commit=_all(_COMMIT, "before", since=_NOTHING),
        recorded=_all(_COMMIT, "after", since=_NOTHING),
    ),
}

# Where a second executor can be killed that goes on with what the first has left behind.
SECOND: dict[str, Row] = {
    "before looking up": _all(_FIND, "before"),
    "looked up": _all(_FIND, "after"),
    "found, before the commit": _all(_COMMIT, "before", since=_RECORD),
    "found": _all(_COMMIT, "after", since=_RECORD),
    "given up, before the commit": _all(_COMMIT, "before", since=_NEVER),
    "given up": _all(_COMMIT, "after", since=_NEVER),
    "before sending again": _all(_SEND, "before"),
    "second answer on its way": _all(_ANSWER, "after", since=_SEND),
}
