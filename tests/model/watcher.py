"""What must hold after every step."""

from tests.model.ownership import Ownership
from tests.model.replay import Replay
from tests.model.world import World
from trading.domain.lifecycle import LIVE_INTENT_STATES, PositionState
from trading.models import OrderIntent, Position
from trading.models.intent import Purpose


class Watcher:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.replay = Replay(world.account.pk)
        self._ownership = Ownership(world.bridge)

    def look(self) -> None:
        """Raises AssertionError."""
        assert not self._world.simulator.engine.violations, self._world.simulator.engine.violations
        before = self.replay.events
        self.replay.check()
        self._ownership.check()
        if self.replay.events != before:
            self._one_live_exit_per_slot()
            self._stops()

    def _one_live_exit_per_slot(self) -> None:
        live = OrderIntent.objects.filter(
            slot__account=self._world.account, purpose=Purpose.EXIT, state__in=LIVE_INTENT_STATES
        )
        slots = list(live.values_list("slot_id", flat=True))
        assert len(slots) == len(set(slots)), f"live exits in slots {slots}"

    def _stops(self) -> None:
        held = Position.objects.filter(
            slot__account=self._world.account, state__in=[PositionState.ACTIVE, PositionState.EXITING]
        )
        assert all(stop for stop in held.values_list("stop_price", flat=True)), "a position without a stop"
