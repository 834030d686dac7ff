"""The machine: Core, Safety Net, operator, owner, faults and deaths, in any order."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from safetynet import poll, services as safety
from safetynet.models import Exemption, GuardedPosition
from tests.model.executors import Cut, Executor, Fate
from tests.model.troubles import Mishap, Trouble
from tests.model.ending import check_end, come_to_rest
from tests.model.watcher import Watcher
from tests.model.world import SYMBOL, Stage
from tests.model.consumer import Consumer
from trading import arming, entry, gateway, operations, queries, reconciliation, tasks
from trading.arming import ArmOrder, ArmRefused
from trading.domain.crossover import Signal
from trading.domain.lifecycle import LIVE_GUARD_STATES, GuardState, PositionState
from trading.domain.types import Side
from trading.explain import NotPossible
from trading.models import Position, Slot

SIDES = st.sampled_from([Side.LONG, Side.SHORT])
HAND_QUANTITIES = st.sampled_from(["0.00757", "0.004", "0.02", "0.0001", "0.05", "all"])
MOVES = st.sampled_from([-300, -150, -50, 50, 150, 300])
WAITS = st.sampled_from([0.3, 1, 4, 14, 21, 45])
CUTS = st.none() | st.builds(Cut, st.integers(1, 14), st.sampled_from(Fate))


class Protocol(RuleBasedStateMachine):
    """One account, one pair, both sides of it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.world = stage.new_world()
        self.watcher = Watcher(self.world)

    # Core

    @rule(side=SIDES, cut=CUTS)
    def open_core(self, side, cut):
        def work():
            try:
                position = operations.arm(account=self.world.account, order=ArmOrder(symbol=SYMBOL, side=side), by="owner")
            except ArmRefused:
                return
            self._enter(position)
        self.world.run(work, cut)

    def _enter(self, position):
        price = self.world.price
        signal = Signal(f"{position.pk}:1", SYMBOL, position.slot.position_side, 1, price, price + 1, price)
        entry.enter(position=position, signal=signal, desk=gateway.desk_for(self.world.account))

    @rule(cut=CUTS)
    def signal(self, cut):
        for position in queries.managed_positions(self.world.account):
            if position.state == PositionState.ARMED:
                self.world.run(lambda: self._enter(position), cut)
                break

    @rule(move=MOVES, cut=CUTS)
    def price_moves(self, move, cut):
        self.world.print_price(self.world.price * (10_000 + move) / 10_000)
        self.consumer_works(cut)

    @rule(cut=CUTS)
    def stop_is_touched(self, cut):
        stops = [p.stop_price for p in queries.managed_positions(self.world.account) if p.stop_price]
        stops += GuardedPosition.objects.filter(slot__account=self.world.account, state=GuardState.GUARDING).values_list("stop_price", flat=True)
        if stops:
            self.world.print_price(stops[0])
            self.consumer_works(cut)

    def consumer_works(self, cut):
        consumer = self.world.consumer
        if consumer is None:
            return
        def dead():
            self.world.consumer = None
        self.world.run(consumer.work, cut, dead=dead)

    @rule()
    def consumer_restarts(self):
        self.world.consumer = Consumer(self.world.account)

    @rule()
    def consumer_dies(self):
        self.world.consumer = None

    # Safety Net

    @rule(cut=CUTS)
    def polls(self, cut):
        self.world.run(self._poll, cut)

    def _poll(self):
        poll.poll(self.world.account, gateway.desk_for(self.world.account))

    # Recovery

    @rule(cut=CUTS, again=st.booleans())
    def worker_gets_a_task(self, cut, again):
        due = self.world.broker.due()
        if due:
            self.world.deliver(due[0], cut, again=again)

    @rule(cut=CUTS)
    def sweeps(self, cut):
        self.world.run(tasks.sweep, cut)

    @rule(cut=CUTS)
    def reconciles(self, cut):
        self.world.run(self._reconcile, cut)

    def _reconcile(self):
        reconciliation.reconcile(self.world.account, gateway.desk_for(self.world.account))

    # Operator

    @rule(cut=CUTS)
    def operator_closes(self, cut):
        active = [p for p in queries.managed_positions(self.world.account) if p.state == PositionState.ACTIVE]
        def work():
            try:
                operations.hand_over([operations.close_now(position=active[0], reason="test", by="owner")])
            except NotPossible:
                pass
        if active:
            self.world.run(work, cut)

    @rule(cut=CUTS)
    def operator_panics(self, cut):
        self.world.run(lambda: operations.hand_over(operations.panic(account=self.world.account, reason="test", by="owner")), cut)

    @rule()
    def operator_resumes(self):
        self.world.run(lambda: operations.pause_entries(account=self.world.account, paused=False, reason="test", by="owner"))

    # Owner

    @precondition(lambda self: self.world.may_trade_by_hand())
    @rule(side=st.sampled_from(["BUY", "SELL"]), quantity=HAND_QUANTITIES)
    def owner_trades(self, side, quantity):
        self.world.by_hand(side, quantity)

    # Trouble

    @rule(seconds=WAITS)
    def time_passes(self, seconds):
        self.world.wait(seconds)

    @rule(mishap=st.sampled_from(Mishap), travel=st.sampled_from([200, 2500, 3500]), work=st.sampled_from([0, 900, 9000]))
    def next_order_goes_wrong(self, mishap, travel, work):
        self.world.bridge.troubles.orders.append(Trouble(mishap, travel, work))

    @rule(count=st.integers(1, 3))
    def exchange_is_silent(self, count):
        self.world.bridge.troubles.silent = count

    @rule(lag=st.sampled_from([0, 1000, 9000]))
    def look_ups_lag(self, lag):
        self.world.bridge.troubles.lag_ms = lag

    @rule(away=st.booleans())
    def redis_goes(self, away):
        self.stage.redis_is_away(away)

    @rule(late=st.booleans())
    def reads_are(self, late):
        self.world.reads_late = late

    @rule(index=st.integers(0, 2), cut=CUTS)
    def executor_wakes(self, index, cut):
        executor = self.world.executors[index]
        if executor.asleep:
            self.world.wake(executor, cut)

    @rule(index=st.integers(0, 2))
    def executor_never_wakes(self, index):
        self.world.executors[index].kill()

    @invariant()
    def holds(self):
        self.stage.steps += 1
        self.watcher.look()

    def teardown(self):
        try:
            come_to_rest(self.world, self.watcher)
            check_end(self.world)
        finally:
            self.world.end()
