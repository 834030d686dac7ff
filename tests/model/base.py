"""What all parts of the machine share."""

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.model.ending import come_to_rest
from tests.model.executors import Cut
from tests.model.stage import Stage
from tests.model.troubles import Trouble
from tests.model.watcher import Watcher


class Machine(RuleBasedStateMachine):
    """One account and one pair with both of its sides, watched after every step."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.world = stage.new_world()
        self.watcher = Watcher(self.world)

    def consumer_works(self, cut: Cut | None = None) -> None:
        """A consumer that runs does what there is to do; if it dies of it, its memory is gone."""
        consumer = self.world.consumer

        def dead() -> None:
            if self.world.consumer is consumer:
                self.world.consumer = None

        if consumer is not None:
            self.world.run(consumer.work, cut, dead=dead)

    def touch(self, index: int, trouble: Trouble | None) -> None:
        """The market touches one of the stops in force; the order that follows may go wrong."""
        if trouble is not None:
            self.world.bridge.troubles.orders.append(trouble)
        stops = self.watcher.stops
        self.world.print_price(stops[index % len(stops)])

    @invariant()
    def nothing_is_broken(self) -> None:
        self.stage.steps += 1
        self.watcher.look()

    def teardown(self) -> None:
        self.stage.failing = True
        self.stage.redis_is_away(False)
        try:
            come_to_rest(self.world, self.watcher)
            self.stage.failing = False
            self.stage.finished += 1
            self.stage.kinds.update(self.watcher.replay.kinds)
        finally:
            self.world.end()
