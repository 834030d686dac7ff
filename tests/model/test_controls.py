"""Controls: with one protection taken out, the machine finds what that protection is for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from safetynet import guarding
from safetynet.models import GuardedPosition
from simulator import signing
from tests.model.beginning import Beginning, Play, core_enters, owner_enters
from tests.model.executors import Cut, Fate
from tests.model.machine import Protocol
from tests.model.stage import Stage
from tests.model.troubles import Mishap, Trouble
from trading import execution, fills, planning
from trading.domain.exits import ExitPlan, Verdict
from trading.domain.lifecycle import GuardState
from trading.domain.rounding import floor_market_quantity
from trading.domain.types import OrderReport, Side
from trading.exchange.port import Exchange
from trading.models import OrderIntent

POINTS = range(1, 15)
LATE = Trouble(Mishap.LATE, travel_ms=2_500, work_ms=900)

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True, available_apps=["trading", "safetynet"]),
]

Steps = Callable[[Protocol], None]
CutSteps = Callable[[Protocol, Cut], None]


def played(stage: Stage, beginning: Beginning, steps: Steps) -> str:
    """What the machine has found broken in one example; nothing if it came to a good end."""
    machine = Protocol(stage, beginning)
    try:
        try:
            machine.nothing_is_broken()
            steps(machine)
            machine.nothing_is_broken()
        finally:
            machine.teardown()
    except AssertionError as broken:
        return str(broken)
    return ""


def _cut(steps: CutSteps, cut: Cut) -> Steps:
    return lambda machine: steps(machine, cut)


def played_at_every_point(stage: Stage, play: Play, steps: CutSteps) -> Iterator[str]:
    """The same with somebody asleep at each point in turn."""
    beginning = Beginning.of(stage, play)
    for nth in POINTS:
        yield played(stage, beginning, _cut(steps, Cut(nth, Fate.SLEEPS)))


def consumer_exits(machine: Protocol) -> None:
    machine.touch(0, None)
    machine.consumer_works()


def answer_comes_late(machine: Protocol) -> None:
    """An order is on its way for so long that its sender goes on without an answer."""
    machine.touch(0, LATE)
    machine.consumer_works()
    machine.nothing_is_broken()
    machine.sweep_finds_work(None)
    machine.consumer_works()


def wake_all(machine: Protocol) -> None:
    for executor in machine.world.executors:
        if executor.asleep:
            machine.world.wake(executor)


def sender_sleeps(machine: Protocol, cut: Cut) -> None:
    """Somebody falls asleep on the way to the exchange; the sweep takes over, and then the sleeper wakes."""
    machine.touch(0, None)
    machine.consumer_works(cut)
    machine.time_passes(45)
    machine.sweep_finds_work(None)
    wake_all(machine)


def owner_sells_half_meanwhile(machine: Protocol, cut: Cut) -> None:
    """Somebody falls asleep on the way to the exchange, and the owner buys back half of a short."""
    machine.touch(0, None)
    machine.consumer_works(cut)
    machine.time_passes(0.3)
    if machine.world.may_trade_by_hand():
        machine.world.by_hand("BUY", "0.005")
    wake_all(machine)


def test_an_order_that_comes_late_stays_the_only_one(stage: Stage) -> None:
    beginning = Beginning.of(stage, core_enters(Side.SHORT))
    assert played(stage, beginning, answer_comes_late) == ""


def test_without_the_fence_an_order_that_comes_late_is_a_second_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning = Beginning.of(stage, core_enters(Side.SHORT))
    monkeypatch.setattr(execution, "fence_ms", lambda attempt: attempt.timestamp_ms)
    assert "double_exit" in played(stage, beginning, answer_comes_late)


def test_the_order_of_a_sleeper_is_never_a_second_one(stage: Stage) -> None:
    assert set(played_at_every_point(stage, core_enters(Side.SHORT), sender_sleeps)) == {""}


def test_an_order_that_the_exchange_takes_however_old_it_is_is_a_second_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "check_fresh", lambda *_: None)
    found = played_at_every_point(stage, core_enters(Side.SHORT), sender_sleeps)
    assert any("double_exit" in broken for broken in found)


def test_what_the_owner_trades_while_somebody_sleeps_is_seen(stage: Stage) -> None:
    found = played_at_every_point(stage, core_enters(Side.SHORT), owner_sells_half_meanwhile)
    assert set(found) == {""}


def test_a_reading_that_does_not_grow_old_misses_what_the_owner_trades(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning.EarlyRead, "still_holds", lambda *_: True)
    found = played_at_every_point(stage, core_enters(Side.SHORT), owner_sells_half_meanwhile)
    assert any("exit_beyond_position" in broken for broken in found)


def test_without_reading_what_is_held_more_is_bought_than_owed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(
        intent: OrderIntent, exchange: Exchange, *_: Any, executed: OrderReport | None = None, **__: Any
    ) -> ExitPlan:
        rules = exchange.symbol_rules(intent.slot.symbol)
        left = intent.quantity - fills.closed_quantity(intent, rules.base_asset)
        left -= fills.base_moved(executed, rules.base_asset) if executed else 0
        quantity = floor_market_quantity(left, rules)
        return ExitPlan(Verdict.SEND, quantity, left) if quantity > 0 else ExitPlan(Verdict.FLAT)

    def owner_was_there_before(machine: Protocol) -> None:
        machine.world.by_hand("BUY", "0.005")
        consumer_exits(machine)

    beginning = Beginning.of(stage, core_enters(Side.SHORT))
    assert played(stage, beginning, owner_was_there_before) == ""
    monkeypatch.setattr(planning, "plan", plan)
    assert "exit_beyond_position" in played(stage, beginning, owner_was_there_before)


def test_a_step_without_its_event_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def silently(guard: GuardedPosition, *_: Any) -> bool:
        guarding_still = GuardedPosition.objects.filter(pk=guard.pk, state=GuardState.GUARDING)
        return bool(guarding_still.update(state=GuardState.CLOSED))

    def owner_sells(machine: Protocol) -> None:
        machine.world.by_hand("SELL", "all")
        machine.time_passes(45)
        machine.safety_net_polls(None)
        machine.time_passes(45)
        machine.safety_net_polls(None)

    beginning = Beginning.of(stage, owner_enters(Side.LONG))
    assert played(stage, beginning, owner_sells) == ""
    monkeypatch.setattr(guarding, "close", silently)
    assert "by their events" in played(stage, beginning, owner_sells)
