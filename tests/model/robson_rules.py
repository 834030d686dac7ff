"""Rules: what Robson's processes and its operator do, each whole, cut off, or asleep in the middle."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model import acts
from tests.model.base import Machine
from tests.model.consumer import Consumer
from tests.model.executors import Cut, Fate
from tests.model.troubles import Mishap, Trouble
from trading import tasks
from trading.domain.lifecycle import PositionState
from trading.domain.types import Side

SIDES = st.sampled_from(Side)
MOVES = st.sampled_from([-300, -100, 100, 300])
TROUBLES = st.builds(
    Trouble, st.sampled_from(Mishap), st.sampled_from([200, 2_500, 3_500]), st.sampled_from([0, 900, 9_000])
)
CUTS = st.none() | st.builds(Cut, st.integers(1, 14), st.sampled_from(Fate))


class CoreRules(Machine):
    """Entries, the consumer, the operator."""

    @rule(side=SIDES, cut=CUTS)
    def core_enters(self, side: Side, cut: Cut | None) -> None:
        self.world.run(lambda: acts.open_core(self.world, side), cut)

    @rule(basis_points=MOVES, cut=CUTS)
    def price_moves(self, basis_points: int, cut: Cut | None) -> None:
        self.world.print_price(self.world.price * (10_000 + basis_points) / 10_000)
        self.consumer_works(cut)

    @precondition(lambda machine: machine.watcher.stops)
    @rule(index=st.integers(0, 2), cut=CUTS, trouble=st.none() | TROUBLES)
    def consumer_sees_a_touch(self, index: int, cut: Cut | None, trouble: Trouble | None) -> None:
        self.touch(index, trouble)
        self.consumer_works(cut)

    @rule(back_at_once=st.booleans())
    def consumer_dies(self, back_at_once: bool) -> None:
        self.world.consumer = Consumer(self.world.account) if back_at_once else None

    @precondition(lambda machine: machine.watcher.stops)
    @rule(index=st.integers(0, 2), cut=CUTS, panics=st.booleans())
    def operator_closes(self, index: int, cut: Cut | None, panics: bool) -> None:
        active = acts.managed(self.world, PositionState.ACTIVE)
        if panics:
            self.world.run(lambda: acts.panic(self.world), cut)
            self.world.run(lambda: acts.resume(self.world))
        elif active:
            self.world.run(lambda: acts.close(self.world, active[index % len(active)]), cut)


class RecoveryRules(Machine):
    """The poll, the workers, the sweep, the reconciliation, and executors that were asleep."""

    @precondition(lambda machine: machine.watcher.stops)
    @rule(index=st.integers(0, 2), cut=CUTS, trouble=st.none() | TROUBLES)
    def poll_sees_a_touch(self, index: int, cut: Cut | None, trouble: Trouble | None) -> None:
        self.touch(index, trouble)
        self.safety_net_polls(cut)

    @rule(cut=CUTS)
    def safety_net_polls(self, cut: Cut | None) -> None:
        self.world.run(lambda: acts.poll_account(self.world), cut)

    @rule(index=st.integers(0, 2), cut=CUTS, again=st.booleans())
    def worker_gets_a_task(self, index: int, cut: Cut | None, again: bool) -> None:
        due = self.world.broker.due()
        if due:
            self.world.deliver(due[index % len(due)], cut, again=again)

    @rule(cut=CUTS)
    def sweep_finds_work(self, cut: Cut | None) -> None:
        self.world.run(tasks.sweep)
        for message in self.world.broker.due():
            self.world.deliver(message, cut)

    @rule(cut=CUTS)
    def core_reconciles(self, cut: Cut | None) -> None:
        self.world.run(lambda: acts.reconcile(self.world), cut)

    @precondition(lambda machine: any(executor.asleep for executor in machine.world.executors))
    @rule(cut=CUTS, ever=st.booleans())
    def executor_wakes(self, cut: Cut | None, ever: bool) -> None:
        sleeper = next(executor for executor in self.world.executors if executor.asleep)
        self.world.wake(sleeper, cut) if ever else sleeper.kill()
