"""The table of decisions, without a database and without an exchange."""

from dataclasses import replace
from decimal import Decimal

import pytest

from safetynet.domain import (
    Close,
    CorePart,
    Decision,
    GuardView,
    KeepEnforcing,
    LeaveAlone,
    Look,
    Ownership,
    Release,
    RequestExit,
    Situation,
    Skip,
    Waive,
    judge,
)
from trading.domain.lifecycle import GuardState, PositionState
from trading.domain.types import Side, SlotKey, Venue

LONG = SlotKey("main", Venue.ISOLATED_MARGIN, "BTCUSDT", Side.LONG)
SHORT = SlotKey("main", Venue.ISOLATED_MARGIN, "BTCUSDT", Side.SHORT)
ABOVE, BELOW = Decimal(99), Decimal(97)

GUARD = GuardView(5, GuardState.GUARDING, stop=Decimal(98), balances="as seen")
BESIDE = replace(GUARD, beside=7)
EXITING = replace(GUARD, state=GuardState.EXITING)

ENTERING_CORE = CorePart(7, PositionState.ENTERING, Decimal(0))
CORE = CorePart(7, PositionState.ACTIVE, Decimal(1))
EXITING_CORE = CorePart(7, PositionState.EXITING, Decimal(1))

MANUAL = Situation(
    LONG, Ownership.NOT_OWNED, held=Decimal(1), balances="as seen", price=ABOVE, core=None, guard=None
)
OWNED = replace(MANUAL, ownership=Ownership.OWNED, core=CORE)
UNKNOWN = replace(MANUAL, ownership=Ownership.UNKNOWN)
SURPLUS = replace(OWNED, held=Decimal(3))


def gone(situation: Situation) -> Situation:
    return replace(situation, held=Decimal(0), balances="")


TABLE: dict[str, tuple[Situation, tuple[Decision, ...]]] = {
    "a new manual position is looked into": (MANUAL, (Look(),)),
    "what is known to be collateral is not": (replace(MANUAL, dismissed=True), ()),
    "a known guard goes on": (replace(MANUAL, guard=GUARD), (KeepEnforcing(5),)),
    "a changed one is looked into": (replace(MANUAL, guard=GUARD, balances="other"), (Look(),)),
    "a guard without a position is closed": (gone(replace(MANUAL, guard=GUARD)), (Close(5),)),
    "a touched stop asks for an exit": (
        replace(MANUAL, guard=GUARD, price=BELOW),
        (KeepEnforcing(5), RequestExit(5, BELOW)),
    ),
    "the stop's very price is a touch": (
        replace(MANUAL, guard=GUARD, price=Decimal(98)),
        (KeepEnforcing(5), RequestExit(5, Decimal(98))),
    ),
    "an earlier touch counts though the price came back": (
        replace(MANUAL, guard=replace(GUARD, touched=True)),
        (KeepEnforcing(5), RequestExit(5, ABOVE)),
    ),
    "an exempted slot is watched and not exited": (
        replace(MANUAL, guard=GUARD, price=BELOW, exempt=True),
        (KeepEnforcing(5), Waive(5, BELOW)),
    ),
    "no price, no touch": (replace(MANUAL, guard=GUARD, price=None), (KeepEnforcing(5),)),
    "an exit under way is left to itself": (
        replace(MANUAL, guard=EXITING, price=BELOW),
        (KeepEnforcing(5),),
    ),
    "an exit under way is not closed by the poll": (gone(replace(MANUAL, guard=EXITING)), ()),
    "Core's position is skipped": (OWNED, (Skip(7),)),
    "Core's position is skipped whatever the price": (replace(OWNED, price=Decimal(1)), (Skip(7),)),
    "Core's position with nothing on the exchange is no find": (gone(OWNED), ()),
    "Core's slot releases a guard": (replace(OWNED, guard=GUARD), (Skip(7), Release(5, 7))),
    "Core's slot releases a guard without a position": (
        gone(replace(OWNED, guard=GUARD)),
        (Release(5, 7),),
    ),
    "an entry on its way is Core's, however much is there": (
        replace(SURPLUS, core=ENTERING_CORE),
        (Skip(7),),
    ),
    "an entry on its way releases a guard": (
        replace(OWNED, core=ENTERING_CORE, guard=GUARD),
        (Skip(7), Release(5, 7)),
    ),
    "an exit of Core's on its way starts no guard": (replace(SURPLUS, core=EXITING_CORE), (Skip(7),)),
    "an exit of Core's on its way keeps the guard of the surplus": (
        replace(SURPLUS, core=EXITING_CORE, guard=BESIDE),
        (Skip(7), KeepEnforcing(5)),
    ),
    "an exit of Core's on its way releases any other guard": (
        replace(OWNED, core=EXITING_CORE, guard=GUARD),
        (Skip(7), Release(5, 7)),
    ),
    "a surplus is looked into": (SURPLUS, (Skip(7), Look())),
    "a surplus known to be collateral is not": (replace(SURPLUS, dismissed=True), (Skip(7),)),
    "a guarded surplus goes on": (replace(SURPLUS, guard=BESIDE), (Skip(7), KeepEnforcing(5))),
    "a guarded surplus is exited": (
        replace(SURPLUS, guard=BESIDE, price=BELOW),
        (Skip(7), KeepEnforcing(5), RequestExit(5, BELOW)),
    ),
    "a changed surplus is looked into": (
        replace(SURPLUS, guard=BESIDE, balances="other"),
        (Skip(7), Look()),
    ),
    "a surplus that is gone is closed": (replace(OWNED, guard=BESIDE), (Skip(7), Close(5))),
    "a guard of an earlier Core position's surplus is released": (
        replace(OWNED, guard=replace(GUARD, beside=6)),
        (Skip(7), Release(5, 7)),
    ),
    "Core does not disturb a safety exit under way": (replace(OWNED, guard=EXITING), (Skip(7),)),
    "nobody knows: nothing is started": (UNKNOWN, (LeaveAlone(),)),
    "nobody knows, nothing there": (gone(UNKNOWN), ()),
    "nobody knows: a guard is kept": (replace(UNKNOWN, guard=GUARD), (KeepEnforcing(5),)),
    "nobody knows: a guard goes on exiting": (
        replace(UNKNOWN, guard=GUARD, price=BELOW),
        (KeepEnforcing(5), RequestExit(5, BELOW)),
    ),
    "nobody knows: a guard is not closed": (gone(replace(UNKNOWN, guard=GUARD)), ()),
    "nobody knows: a changed position is not recomputed": (
        replace(UNKNOWN, guard=GUARD, balances="other"),
        (KeepEnforcing(5),),
    ),
}


@pytest.mark.parametrize(("situation", "expected"), TABLE.values(), ids=TABLE)
def test_each_slot_is_judged_by_the_table(situation: Situation, expected: tuple[Decision, ...]) -> None:
    assert judge(situation) == expected


@pytest.mark.parametrize(("price", "touched"), [("101", False), ("102", True), ("103", True)])
def test_a_short_is_touched_from_below(price: str, touched: bool) -> None:
    guard = replace(GUARD, stop=Decimal(102))

    decisions = judge(replace(MANUAL, slot=SHORT, guard=guard, price=Decimal(price)))

    assert (RequestExit(5, Decimal(price)) in decisions) is touched
