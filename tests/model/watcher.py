"""What must hold after every step."""

from decimal import Decimal

from tests.model.ownership import Ownership
from tests.model.replay import Replay, Row
from tests.model.world import World
from trading.domain.lifecycle import LIVE_GUARD_STATES, LIVE_INTENT_STATES, GuardState, PositionState

IN_FORCE = {PositionState.ACTIVE, GuardState.GUARDING}
NEED_A_STOP = {PositionState.ACTIVE, PositionState.EXITING, *LIVE_GUARD_STATES}


class Watcher:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.replay = Replay(world.account.pk)
        self._ownership = Ownership(world.bridge)

    def look(self) -> None:
        """Raises AssertionError for the first promise that is broken. Cheap when nobody has worked since."""
        assert not self._world.simulator.engine.violations, self._world.simulator.engine.violations
        self._ownership.check()
        if not self._world.somebody_worked:
            return
        self._world.somebody_worked = False
        self.replay.check()
        self._one_live_exit_per_slot()
        self._stops_are_there()

    @property
    def live_intents(self) -> list[Row]:
        """As of the last look."""
        return [row for row in self.replay.rows if row.table == "intent" and row.state in LIVE_INTENT_STATES]

    @property
    def stops(self) -> list[Decimal]:
        """Every stop in force, as of the last look."""
        return [row.stop for row in self.replay.rows if row.stop and row.state in IN_FORCE]

    def _one_live_exit_per_slot(self) -> None:
        slots = [row.slot_id for row in self.live_intents if row.is_exit]
        assert len(slots) == len(set(slots)), f"two live exits in one slot, of {slots}"

    def _stops_are_there(self) -> None:
        for row in self.replay.rows:
            assert row.stop or row.table == "intent" or row.state not in NEED_A_STOP, f"{row} has no stop"
